package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// What a client holds, and the header that it is shown: protobuf bytes in hex, times in unix ns.
type shown struct {
	ChainID            string `json:"chain_id"`
	SignedHeader       string `json:"signed_header"`
	Validators         string `json:"validators"`
	TrustedValidators  string `json:"trusted_validators"`
	TrustedHeight      int64  `json:"trusted_height"`
	TrustedTime        int64  `json:"trusted_time_ns"`
	NextValidatorsHash string `json:"next_validators_hash"`
	TrustingPeriod     int64  `json:"trusting_period_ns"`
	MaxClockDrift      int64  `json:"max_clock_drift_ns"`
	Now                int64  `json:"now_ns"`
	Numerator          uint64 `json:"trust_numerator"`
	Denominator        uint64 `json:"trust_denominator"`
	Rounds             int    `json:"rounds"`
}

type headerVerdictOf struct {
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason"`
}

type took struct {
	FromBytes int64 `json:"from_bytes_ns"`
	Verify    int64 `json:"verify_ns"`
}

type asBytes struct {
	signedHeader, validators, trusted, nextHash []byte
}

type decoded struct {
	header              *types.SignedHeader
	validators, trusted *types.ValidatorSet
}

func headerVerdict(question []byte) (any, error) {
	asked, raw, err := readHeader(question)
	if err != nil {
		return nil, err
	}
	if err := verifyFromBytes(asked, raw); err != nil {
		return headerVerdictOf{false, err.Error()}, nil
	}
	return headerVerdictOf{true, ""}, nil
}

// The shortest of many runs, in ns: from bytes as a client gets them, and of the check alone.
func headerTime(question []byte) (any, error) {
	asked, raw, err := readHeader(question)
	if err != nil {
		return nil, err
	}
	best := took{1 << 62, 1 << 62}
	for i := 0; i < asked.Rounds; i++ {
		start := time.Now()
		if err := verifyFromBytes(asked, raw); err != nil {
			return nil, err
		}
		best.FromBytes = min(best.FromBytes, time.Since(start).Nanoseconds())
		shown, err := raw.decode()
		if err != nil {
			return nil, err
		}
		start = time.Now()
		if err := asked.verify(shown, raw.nextHash); err != nil {
			return nil, err
		}
		best.Verify = min(best.Verify, time.Since(start).Nanoseconds())
	}
	return best, nil
}

func readHeader(question []byte) (shown, asBytes, error) {
	var asked shown
	var raw asBytes
	if err := json.Unmarshal(question, &asked); err != nil {
		return asked, raw, err
	}
	for into, text := range map[*[]byte]string{
		&raw.signedHeader: asked.SignedHeader,
		&raw.validators:   asked.Validators,
		&raw.trusted:      asked.TrustedValidators,
		&raw.nextHash:     asked.NextValidatorsHash,
	} {
		content, err := hex.DecodeString(text)
		if err != nil {
			return asked, raw, err
		}
		*into = content
	}
	return asked, raw, nil
}

// What ibc-go's 07-tendermint does with a header: stateless checks, the trusted set's hash, then
// CometBFT's light client.
func verifyFromBytes(asked shown, raw asBytes) error {
	shown, err := raw.decode()
	if err != nil {
		return err
	}
	if err := shown.header.ValidateBasic(shown.header.ChainID); err != nil {
		return err
	}
	if !bytes.Equal(shown.header.ValidatorsHash, shown.validators.Hash()) {
		return errors.New("validator set does not match hash")
	}
	return asked.verify(shown, raw.nextHash)
}

func (raw asBytes) decode() (decoded, error) {
	var shown decoded
	var header cmtproto.SignedHeader
	err := proto.Unmarshal(raw.signedHeader, &header)
	if err != nil {
		return shown, err
	}
	if shown.header, err = types.SignedHeaderFromProto(&header); err != nil {
		return shown, err
	}
	if shown.validators, err = decodeSet(raw.validators); err != nil {
		return shown, err
	}
	shown.trusted, err = decodeSet(raw.trusted)
	return shown, err
}

func decodeSet(raw []byte) (*types.ValidatorSet, error) {
	var set cmtproto.ValidatorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		return nil, err
	}
	return types.ValidatorSetFromProto(&set)
}

func (asked shown) verify(shown decoded, nextHash []byte) error {
	if !bytes.Equal(shown.trusted.Hash(), nextHash) {
		return errors.New("trusted validators are not those of the trusted height")
	}
	trusted := types.SignedHeader{Header: &types.Header{
		ChainID:            asked.ChainID,
		Height:             asked.TrustedHeight,
		Time:               time.Unix(0, asked.TrustedTime).UTC(),
		NextValidatorsHash: nextHash,
	}}
	return light.Verify(
		&trusted, shown.trusted, shown.header, shown.validators,
		time.Duration(asked.TrustingPeriod), time.Unix(0, asked.Now).UTC(),
		time.Duration(asked.MaxClockDrift),
		math.Fraction{Numerator: asked.Numerator, Denominator: asked.Denominator},
	)
}
