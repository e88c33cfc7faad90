// Package infra lets a Go function stay warm: one process, call after call.
//
//	func main() {
//		infra.Handle(func(ctx infra.Context, event json.RawMessage) (any, error) {
//			return map[string]any{"echo": event}, nil
//		})
//	}
//
// An error fails its call (code handler_error), and so does a panic; the process goes on. Started outside Infra the program
// takes the event from its standard input and prints the result. What is spoken is docs/runner-protocol.md.
package infra

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Context tells a handler about its call.
type Context struct {
	RequestID  string
	FunctionID string
	ModelID    string
	MemoryMB   int
	Deadline   time.Time // when the call is stopped

	TraceID     string // empty: the call belongs to no trace
	Traceparent string // as W3C Trace Context has it
}

// RemainingTime is never negative.
func (c Context) RemainingTime() time.Duration {
	if left := time.Until(c.Deadline); left > 0 {
		return left
	}
	return 0
}

// Handler gets the event as the client wrote it. What it returns is written as JSON; nil is null.
type Handler func(ctx Context, event json.RawMessage) (any, error)

const (
	controlFD  = 3
	maxFrame   = 32 << 20
	maxResult  = 6 << 20
	maxMessage = 8 << 10

	// How the platform knows that this program speaks the protocol itself.
	marker = "infra-warm-handler/1:5f0c8e9b7d3a4261"
)

type call struct {
	RequestID  string            `json:"requestId"`
	FunctionID string            `json:"functionId"`
	ModelID    string            `json:"modelId"`
	MemoryMB   int               `json:"memoryMb"`
	DeadlineMS int64             `json:"deadlineMs"`
	Env        map[string]string `json:"env"`
	Input      json.RawMessage   `json:"input"`

	Traceparent string `json:"traceparent"`
}

type answer struct {
	RequestID string          `json:"requestId,omitempty"`
	OK        bool            `json:"ok"`
	Code      string          `json:"code,omitempty"`
	Message   string          `json:"message,omitempty"`
	HandlerMS float64         `json:"handlerMs"`
	Reusable  bool            `json:"reusable,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

// Handle answers calls until the platform has no more. It does not return.
func Handle(handler Handler) {
	if os.Getenv("INFRA_MARKER") == marker { // a linker that drops what nobody reads must keep it
		os.Exit(0)
	}
	if _, err := syscall.GetsockoptInt(controlFD, syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil {
		os.Exit(tryByHand(handler))
	}
	syscall.CloseOnExec(controlFD)
	if err := serve(handler, os.NewFile(controlFD, "control"), os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func tryByHand(handler Handler) int {
	event, err := io.ReadAll(os.Stdin)
	if len(strings.TrimSpace(string(event))) == 0 {
		event = []byte("{}")
	}
	if err != nil || !json.Valid(event) {
		fmt.Fprintln(os.Stderr, "The event on the standard input is not JSON.")
		return 2
	}
	given := run(handler, Context{Deadline: time.Now().Add(time.Hour)}, event)
	text, _ := json.Marshal(given)
	fmt.Println(string(text))
	if !given.OK {
		return 1
	}
	return 0
}

func serve(handler Handler, control io.ReadWriter, base []string) error {
	calls := bufio.NewReader(control) // most come whole with one read
	for {
		frame, err := readFrame(calls)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var asked call
		if err := json.Unmarshal(frame, &asked); err != nil {
			return err
		}
		setEnvironment(base, asked.Env)
		ctx := Context{RequestID: asked.RequestID, FunctionID: asked.FunctionID, ModelID: asked.ModelID, MemoryMB: asked.MemoryMB,
			Deadline: time.UnixMilli(asked.DeadlineMS), Traceparent: asked.Traceparent}
		if len(asked.Traceparent) >= 35 {
			ctx.TraceID = asked.Traceparent[3:35]
		}
		given := run(handler, ctx, asked.Input)
		given.RequestID = asked.RequestID
		text, err := json.Marshal(given)
		if err != nil {
			return err
		}
		if err := writeFrame(control, text); err != nil {
			return err
		}
	}
}

// What the last call added to the environment goes.
func setEnvironment(base []string, env map[string]string) {
	os.Clearenv()
	for _, variable := range base {
		if name, value, found := strings.Cut(variable, "="); found {
			os.Setenv(name, value)
		}
	}
	for name, value := range env {
		os.Setenv(name, value)
	}
}

func run(handler Handler, ctx Context, event json.RawMessage) (given answer) {
	started := time.Now()
	elapsed := func() float64 { return float64(time.Since(started).Microseconds()) / 1000 }
	defer func() {
		if panicked := recover(); panicked != nil {
			message := fmt.Sprint("The handler panicked: ", panicked)
			fmt.Fprintf(os.Stderr, "%s\n%s", message, debug.Stack())
			given = failed("handler_error", message, elapsed())
		}
	}()
	value, err := handler(ctx, event)
	spent := elapsed()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed("handler_error", err.Error(), spent)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return failed("result_not_json", fmt.Sprintf("The handler returned a %T that can't be written as JSON: %v", value, err), spent)
	}
	if len(text) > maxResult {
		return failed("result_too_large",
			fmt.Sprintf("The handler's result is %d bytes of JSON; at most %d (6 MiB) are allowed.", len(text), maxResult), spent)
	}
	return answer{OK: true, HandlerMS: spent, Value: text}
}

func failed(code, message string, ms float64) answer {
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	return answer{Code: code, Message: message, HandlerMS: ms, Reusable: true}
}

func readFrame(control io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(control, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes came; at most %d are allowed", size, maxFrame)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(control, body)
	return body, err
}

func writeFrame(control io.Writer, body []byte) error {
	frame := make([]byte, 4, 4+len(body))
	binary.LittleEndian.PutUint32(frame, uint32(len(body)))
	_, err := control.Write(append(frame, body...))
	return err
}
