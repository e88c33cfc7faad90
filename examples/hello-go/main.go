package main

import (
	"encoding/json"
	"fmt"

	"infra"
)

type person struct {
	Name string `json:"name"`
}

func greet(ctx infra.Context, event json.RawMessage) (any, error) {
	who := person{Name: "world"}
	if err := json.Unmarshal(event, &who); err != nil {
		return nil, err
	}
	fmt.Printf("run %s has %v left\n", ctx.RequestID, ctx.RemainingTime())
	return map[string]string{"greeting": "Hello, " + who.Name + "!"}, nil
}

func main() {
	infra.Handle(greet)
}
