package main

import (
	"encoding/hex"
	"encoding/json"

	"github.com/cometbft/cometbft/crypto/ed25519"
)

type signed struct {
	Key       string `json:"key"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
}

type signatureVerdict struct {
	Single bool `json:"single"`
	Batch  bool `json:"batch"`
}

// A signature alone, and twice in a batch, as commits are verified.
func ed25519Verdict(question []byte) (any, error) {
	var asked signed
	if err := json.Unmarshal(question, &asked); err != nil {
		return nil, err
	}
	key, message, signature, err := asked.bytes()
	if err != nil {
		return nil, err
	}
	verdict := signatureVerdict{Single: key.VerifySignature(message, signature)}
	batch := ed25519.NewBatchVerifier()
	for i := 0; i < 2; i++ {
		if err := batch.Add(key, message, signature); err != nil {
			return verdict, nil
		}
	}
	verdict.Batch, _ = batch.Verify()
	return verdict, nil
}

func (asked signed) bytes() (ed25519.PubKey, []byte, []byte, error) {
	key, err := hex.DecodeString(asked.Key)
	if err != nil {
		return nil, nil, nil, err
	}
	message, err := hex.DecodeString(asked.Message)
	if err != nil {
		return nil, nil, nil, err
	}
	signature, err := hex.DecodeString(asked.Signature)
	return ed25519.PubKey(key), message, signature, err
}
