// What CometBFT and Go's IAVL say, asked from outside: one JSON object a line in, one a line out.
//
// It makes the vectors that tests read and the figures that benchmarks compare with; nothing of
// tieline runs through it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

var commands = map[string]func([]byte) (any, error){
	"ed25519": ed25519Verdict,
	"header":  headerVerdict,
	"time":    headerTime,
	"iavl":    iavlRoots,
}

func main() {
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: oracle ed25519|header|time|iavl < questions > answers")
		os.Exit(2)
	}
	answer := commands[os.Args[1]]
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(nil, 64<<20)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		given, err := answer(questions.Bytes())
		if err == nil {
			err = answers.Encode(given)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := questions.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
