package main

import (
	"encoding/hex"
	"encoding/json"

	"cosmossdk.io/log"
	dbm "github.com/cosmos/iavl/db"

	"github.com/cosmos/iavl"
)

type operation struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Remove bool   `json:"remove"`
}

// One history: a list of operations for each version.
type history struct {
	Versions [][]operation `json:"versions"`
}

type roots struct {
	Roots []string `json:"roots"`
}

func iavlRoots(question []byte) (any, error) {
	var asked history
	if err := json.Unmarshal(question, &asked); err != nil {
		return nil, err
	}
	tree := iavl.NewMutableTree(dbm.NewMemDB(), 1_000, true, log.NewNopLogger())
	found := roots{}
	for _, version := range asked.Versions {
		for _, one := range version {
			if err := apply(tree, one); err != nil {
				return nil, err
			}
		}
		root, _, err := tree.SaveVersion()
		if err != nil {
			return nil, err
		}
		found.Roots = append(found.Roots, hex.EncodeToString(root))
	}
	return found, nil
}

func apply(tree *iavl.MutableTree, one operation) error {
	key, err := hex.DecodeString(one.Key)
	if err != nil {
		return err
	}
	if one.Remove {
		_, _, err = tree.Remove(key)
		return err
	}
	value, err := hex.DecodeString(one.Value)
	if err != nil {
		return err
	}
	_, err = tree.Set(key, value)
	return err
}
