// What breakout/bombs.py does to its own sandbox and to the worker, with a Go program's means: the same names and ends.
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const control = 3

// Those that bombs.py does in a child, with the protocol's socket.
var withSocket = map[string]bool{"fill_disks": true, "fill_inodes": true, "frames": true, "write_frame": true, "send_descriptors": true,
	"ask_for_more": true, "flood_the_ai_endpoint": true, "eat_memory_in_a_child": true}

var bombs map[string]func(facts) (any, error)

func fill(more func(int) error) (any, error) {
	for done := 0; done < 100_000; done++ {
		if err := more(done); err != nil {
			return []any{done, err.Error()}, nil
		}
	}
	return []any{100_000, "never refused"}, nil
}

func python(code string, arguments ...string) *exec.Cmd {
	child := exec.Command("/usr/bin/python3", append([]string{"-B", "-c", code}, arguments...)...)
	child.Stderr = os.Stderr
	duplicate, err := syscall.Dup(control)
	if err != nil {
		panic(err)
	}
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(duplicate), "control")}
	return child
}

func bombWithPython(name string, event json.RawMessage) (any, error) {
	child := python("import bombs, json, sys; print(json.dumps(bombs."+name+"(json.loads(sys.argv[1]))))", string(event))
	defer child.ExtraFiles[0].Close()
	text, err := child.Output()
	return json.RawMessage(text), err
}

func spin() {
	for {
	}
}

// The child has no scheduler and no collector: it may call the kernel, and nothing else.
func fork() (uintptr, error) {
	pid, _, number := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if number != 0 {
		return 0, number
	}
	return pid, nil
}

func sleeper(int) error {
	pid, err := fork()
	for err == nil && pid == 0 {
		syscall.RawSyscall(syscall.SYS_PAUSE, 0, 0, 0)
	}
	return err
}

func forkForEver() {
	signal.Ignore()
	for {
		syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
}

func eatMemory() {
	var kept [][]byte
	for {
		piece := make([]byte, 8<<20)
		for at := 0; at < len(piece); at += 4096 {
			piece[at] = 1
		}
		kept = append(kept, piece)
	}
}

func writeForEver(fd int, times int) {
	piece := make([]byte, 1<<20)
	for ; times > 0; times-- {
		if count, err := syscall.Write(fd, piece); err != nil || count <= 0 {
			return
		}
	}
}

func rest() {
	time.Sleep(time.Minute)
}

func leaveThreads() {
	for n := 0; n < 20; n++ {
		go func() {
			for {
				syscall.Write(1, []byte("LEFT BEHIND\n"))
				time.Sleep(time.Millisecond)
			}
		}()
	}
}

func poison() error {
	os.Remove("/workspace/.infra/main") // which runs
	for _, name := range []string{"/workspace/main", "/workspace/main.go", "/workspace/bombs.py", "/workspace/.infra/main", "/workspace/.infra/warm",
		"/tmp/left", "/output/left", "/dev/shm/left"} {
		if err := os.WriteFile(name, []byte("poisoned"), 0o600); err != nil {
			return err
		}
	}
	os.Setenv("LEFT", "poisoned")
	os.Args = []string{"poisoned"}
	time.Local = time.UTC
	signal.Ignore(syscall.SIGTERM)
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 16, Max: 16})
	syscall.Umask(0o777)
	os.Stdout, os.Stderr = nil, nil
	return nil
}

func noise() (any, error) {
	bytes := make([]byte, 4096)
	for n := range bytes {
		bytes[n] = byte(n)
	}
	bytes = append(bytes, "\u2028\u202e\x00\x1b[2J\xed\xa0\x80\n{\"time\":\"x\",\"level\":\"error\",\"msg\":\"forged\"}\r\n\r\nHTTP/1.1 500 X\r\n"...)
	syscall.Write(1, bytes)
	syscall.Write(2, bytes)
	return map[string]any{"\x00": "\xed\xa0\x80", "</script>": "\u2028", "__proto__": map[string]string{"status": "ERROR"}}, nil
}

func init() {
	never := func(action func()) func(facts) (any, error) {
		return func(facts) (any, error) {
			action()
			return nil, nil
		}
	}
	bombs = map[string]func(facts) (any, error){
		"start_sleeper":      func(facts) (any, error) { return nil, sleeper(0) },
		"fork_until_refused": func(facts) (any, error) { return fill(sleeper) },
		"fork_for_ever":      never(forkForEver),
		"starve_init": never(func() {
			call([]any{144.0, 1.0, 5.0, []any{4.0}}) // sched_setscheduler to idle
			syscall.Setpriority(syscall.PRIO_PROCESS, 1, 19)
			forkForEver()
		}),
		"spin": never(func() {
			signal.Ignore()
			for n := 0; n < 8; n++ {
				go spin()
			}
			spin()
		}),
		"spin_in_a_signal_handler": never(func() {
			alarms := make(chan os.Signal, 8)
			signal.Notify(alarms, syscall.SIGALRM)
			for n := 0; n < 4; n++ {
				syscall.Kill(os.Getpid(), syscall.SIGALRM)
			}
			for range alarms {
				go spin()
			}
		}),
		"stop":                   never(func() { syscall.Kill(os.Getpid(), syscall.SIGSTOP); rest() }),
		"become_another_program": never(func() { syscall.Exec("/bin/sleep", []string{"sleep", "600"}, nil) }),
		"crash": never(func() {
			debug.SetTraceback("crash") // as a C++ program ends, and not with exit code 2
			go func() { *(*int)(nil) = 1 }()
			rest()
		}),
		"kill_all": never(func() {
			sleeper(0)
			syscall.Kill(-1, syscall.SIGKILL)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			rest()
		}),
		"close_everything": never(func() { syscall.Syscall(436, 0, 1<<32-1, 0) }),
		"eat_memory":       never(eatMemory),
		"eat_memory_by_files": never(func() {
			for _, path := range []string{"/tmp/big", "/output/big", "/dev/shm/big", "/workspace/big"} {
				fd, _ := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT, 0o600)
				writeForEver(fd, 1000)
			}
			eatMemory()
		}),
		"eat_memory_another_way": never(func() {
			name := []byte("m\x00")
			for n := 0; n < 20; n++ {
				fd, _, _ := syscall.Syscall(319, uintptr(unsafe.Pointer(&name[0])), 0, 0) // memfd_create
				writeForEver(int(fd), 100)
			}
		}),
		"eat_memory_a_third_way": never(func() {
			for key := 1; key < 100; key++ {
				id, _, _ := syscall.Syscall(syscall.SYS_SHMGET, uintptr(key), 64<<20, 0o1666)
				at, _, number := syscall.Syscall(syscall.SYS_SHMAT, id, 0, 0)
				for page := uintptr(0); number == 0 && page < 64<<20; page += 4096 {
					syscall.Syscall(syscall.SYS_GETCWD, at+page, 4096, 0) // has the kernel write to it
				}
			}
		}),
		"open_files": func(facts) (any, error) {
			return fill(func(int) error {
				_, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
				return err
			})
		},
		"flood": never(func() {
			line := []byte(strings.Repeat("x", 65536))
			for {
				syscall.Write(1, line)
				syscall.Write(2, line)
			}
		}),
		"print_noise": func(facts) (any, error) { return noise() },
		"return_much": func(event facts) (any, error) { return strings.Repeat("x", event.Size), nil },
		"return_deeply": func(event facts) (any, error) {
			value := []any{}
			for n := 0; n < event.Depth; n++ {
				value = []any{value}
			}
			return value, nil
		},
		"shut_the_socket": func(event facts) (any, error) {
			syscall.Shutdown(control, syscall.SHUT_RDWR)
			if event.Then == "wait" {
				rest()
			}
			return nil, nil
		},
		"take_the_question": func(facts) (any, error) {
			return "left a reader", python("import os\nwhile True: os.read(3, 65536)").Start()
		},
		"leave_process": func(event facts) (any, error) {
			text, _ := json.Marshal(map[string]bool{"answers": event.Answers})
			child := python("import bombs, json, sys; bombs.leave_process(json.loads(sys.argv[1]))", string(text))
			child.Stdout = os.Stdout
			return "left a process", child.Run()
		},
		"leave_thread": func(facts) (any, error) { leaveThreads(); return "left threads", nil },
		"poison":       func(facts) (any, error) { return "poisoned", poison() },
	}
}
