// Part of package time of CometBFT in engines with a driven clock; put there by
// deploy/tools/build_engines.py, which also makes Now call drivenNow.

package time

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
)

// clockFile is the open file that TIELINE_CLOCK_FILE names; nil: real time.
var clockFile = openClockFile()

func openClockFile() *os.File {
	path := os.Getenv("TIELINE_CLOCK_FILE")
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		panic(fmt.Sprintf("TIELINE_CLOCK_FILE: %v", err))
	}
	return file
}

// drivenNow reads the time from the clock file: unix nanoseconds, 8 bytes, little endian.
// Whoever drives the engine writes all 8 in one call. A file that cannot be read is no time
// at all, so the engine stops rather than mix in the real one.
func drivenNow() time.Time {
	if clockFile == nil {
		return time.Now()
	}
	var raw [8]byte
	if _, err := clockFile.ReadAt(raw[:], 0); err != nil {
		panic(fmt.Sprintf("TIELINE_CLOCK_FILE: %v", err))
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(raw[:])))
}
