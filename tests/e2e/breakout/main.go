// A function that tries to get out of its sandbox as breakout/main.py does: the same tries by the same names, with system calls
// of its own. What is the same in any language main.py and bombs.py try as its child, under its own filter.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"infra"
)

type facts struct {
	Try       string           `json:"try"`
	Calls     map[string][]any `json:"calls"`
	Paths     []string         `json:"paths"`
	Addresses [][]any          `json:"addresses"`
	Names     []string         `json:"names"`
	Pids      []int            `json:"pids"`
	Size      int              `json:"size"`
	Depth     int              `json:"depth"`
	Then      string           `json:"then"`
	Answers   bool             `json:"answers"`
}

type found map[string]string

var errorNames = map[syscall.Errno]string{syscall.EPERM: "EPERM", syscall.EAFNOSUPPORT: "EAFNOSUPPORT", syscall.EPROTONOSUPPORT: "EPROTONOSUPPORT",
	syscall.ENOSYS: "ENOSYS", syscall.ENOENT: "ENOENT", syscall.EACCES: "EACCES",
	syscall.EROFS: "EROFS", syscall.EINVAL: "EINVAL", syscall.ESRCH: "ESRCH"}

// What came of an action that must fail.
func refused(err error) string {
	if err == nil {
		return "ESCAPED: it went through"
	}
	var number syscall.Errno
	if errors.As(err, &number) && errorNames[number] != "" {
		return "refused: " + errorNames[number]
	}
	return "refused: " + err.Error()
}

func contained(good bool, what string) string {
	if good {
		return "contained: " + what
	}
	return "ESCAPED: " + what
}

// Text becomes a pointer to it, [n] a pointer to n zeroed bytes.
func call(words []any) error {
	var arguments [7]uintptr
	var kept [][]byte
	for i, word := range words {
		switch value := word.(type) {
		case float64:
			arguments[i] = uintptr(int64(value))
			continue
		case string:
			kept = append(kept, append([]byte(value), 0))
		case []any:
			kept = append(kept, make([]byte, int(value[0].(float64))+1))
		}
		arguments[i] = uintptr(unsafe.Pointer(&kept[len(kept)-1][0]))
	}
	_, _, number := syscall.Syscall6(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6])
	runtime.KeepAlive(kept)
	if number == 0 {
		return nil
	}
	return number
}

func readSome(path string) (string, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer syscall.Close(fd)
	bytes := make([]byte, 1<<16)
	count, err := syscall.Read(fd, bytes)
	return string(bytes[:max0(count)]), err
}

func max0(number int) int {
	if number < 0 {
		return 0
	}
	return number
}

func isPowerless() bool {
	status, err := readSome("/proc/self/status")
	if err != nil {
		return false
	}
	for _, line := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000", "Uid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t1000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, "\n"+line+"\n") {
			return false
		}
	}
	return true
}

func calls(event facts) found {
	came := found{}
	for what, words := range event.Calls {
		came[what] = refused(call(words))
	}
	return came
}

func readFiles(event facts) found {
	came := found{}
	for _, path := range event.Paths {
		_, err := readSome(path)
		came[path] = refused(err)
	}
	return came
}

func writeFiles(event facts) found {
	came := found{}
	for _, path := range event.Paths {
		for _, flags := range []int{os.O_WRONLY, os.O_WRONLY | os.O_CREATE, os.O_RDWR | os.O_TRUNC} {
			_, err := os.OpenFile(path, flags, 0o666)
			came[fmt.Sprint(path, " ", flags)] = refused(err)
		}
	}
	return came
}

func knock(network, address string) error {
	peer, err := net.DialTimeout(network, address, 500*time.Millisecond)
	if err != nil {
		return err
	}
	defer peer.Close()
	if network == "tcp" {
		return nil
	}
	peer.SetDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := peer.Write([]byte("knock")); err != nil {
		return err
	}
	_, err = peer.Read(make([]byte, 1))
	return err
}

func connect(event facts) found {
	came := found{}
	var lock sync.Mutex
	var all sync.WaitGroup
	for _, one := range event.Addresses {
		address := net.JoinHostPort(one[0].(string), fmt.Sprint(one[1]))
		for _, network := range []string{"tcp", "udp"} {
			all.Add(1)
			go func(network string) {
				defer all.Done()
				said := refused(knock(network, address))
				lock.Lock()
				came[network+" "+address] = said
				lock.Unlock()
			}(network)
		}
	}
	all.Wait()
	return came
}

func unixSockets(event facts) found {
	came := found{}
	for _, name := range event.Names {
		for _, kind := range []string{"unix", "unixgram", "unixpacket"} {
			_, err := net.Dial(kind, strings.Replace(name, "\x00", "@", 1))
			came[kind+" "+name] = refused(err)
		}
	}
	return came
}

func resolve(event facts) found {
	came := found{}
	for _, name := range event.Names {
		_, err := net.LookupHost(name)
		came[name] = refused(err)
	}
	return came
}

func kill(event facts) found {
	came := found{}
	for _, pid := range event.Pids {
		came[fmt.Sprint("process ", pid)] = refused(syscall.Kill(pid, syscall.SIGKILL))
		came[fmt.Sprint("group ", pid)] = refused(syscall.Kill(-pid, syscall.SIGKILL))
		came[fmt.Sprint("by descriptor ", pid)] = refused(call([]any{434.0, float64(pid), 0.0}))
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGTERM, syscall.SIGSEGV} {
		syscall.Kill(1, signal)
	}
	came["init"] = contained(exec.Command("/bin/true").Run() == nil, "init takes no signal from inside")
	return came
}

func rights(facts) found {
	came := found{"at first": contained(isPowerless(), "no capability, no way to new privileges, filtered")}
	for what, words := range map[string][]any{"setuid": {105.0, 0.0}, "setgid": {106.0, 0.0}, "setresuid": {117.0, 0.0, 0.0, 0.0},
		"seteuid of another slot": {117.0, -1.0, 1000001.0, -1.0}, "setgroups": {116.0, 1.0, []any{4.0}}, "bounding set": {157.0, 24.0, 0.0},
		"no_new_privs off": {157.0, 38.0, 0.0, 0.0, 0.0, 0.0}, "ambient": {157.0, 47.0, 2.0, 21.0, 0.0, 0.0}} {
		came[what] = refused(call(words))
	}
	for name, attributes := range map[string]*syscall.SysProcAttr{"chroot": {Chroot: "/tmp"}, "another user": {Credential: &syscall.Credential{Uid: 0}},
		"a new user namespace": {Cloneflags: syscall.CLONE_NEWUSER}, "a new network": {Cloneflags: syscall.CLONE_NEWNET},
		"unshared mounts": {Unshareflags: syscall.CLONE_NEWNS}, "traced": {Ptrace: true}} {
		child := exec.Command("/bin/true")
		child.SysProcAttr = attributes
		came["a child that is "+name] = refused(child.Run())
	}
	came["su"] = refused(exec.Command("/usr/bin/su", "-c", "true").Run())
	came["in the end"] = contained(isPowerless(), "still no rights")
	return came
}

// Nothing of the worker's is open here: the null device, two pipes, and one socket; the rest is Go's own.
func descriptors(facts) found {
	entries, _ := os.ReadDir("/proc/self/fd")
	good, sockets, kinds := len(entries) > 3, 0, []string{}
	for _, entry := range entries {
		kind, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil {
			continue
		}
		kinds = append(kinds, kind)
		ours := false
		for _, start := range []string{"/dev/null", "pipe:", "socket:", "/proc/", "anon_inode:[event", "/sys/kernel/mm"} {
			ours = ours || strings.HasPrefix(kind, start)
		}
		good = good && ours
		if strings.HasPrefix(kind, "socket:") {
			sockets++
		}
	}
	return found{"descriptors": contained(good && sockets <= 1, strings.Join(kinds, " "))}
}

// A Go program's own ways into a process: its memory and the runtime's internals.
func inspector(facts) found {
	came := found{}
	for _, path := range []string{"/proc/1/mem", "/proc/1/maps", "/proc/1/auxv", "/proc/1/fd/3", "/proc/1/task/1/mem", "/proc/1/exe"} {
		_, err := readSome(path)
		came[path] = refused(err)
	}
	own := []byte("own")
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err == nil {
		read := make([]byte, 3)
		_, err = memory.ReadAt(read, int64(uintptr(unsafe.Pointer(&own[0]))))
		memory.Close()
	}
	came["its own memory"] = contained(err == nil, "may be read, being its own")
	return came
}

func withPython(name string, event json.RawMessage) (any, error) {
	child := exec.Command("/usr/bin/python3", "-B", "/workspace/main.py", name, string(event))
	child.Stderr = os.Stderr
	text, err := child.Output()
	return json.RawMessage(text), err
}

func main() {
	tries := map[string]func(facts) found{"calls": calls, "read_files": readFiles, "write_files": writeFiles, "connect": connect,
		"unix_sockets": unixSockets, "resolve": resolve, "kill": kill, "rights": rights, "descriptors": descriptors, "inspector": inspector}
	infra.Handle(func(_ infra.Context, text json.RawMessage) (any, error) {
		if !isPowerless() {
			return nil, errors.New("ESCAPED: this is no sandbox") // what follows would take the machine down
		}
		var event facts
		if err := json.Unmarshal(text, &event); err != nil {
			return nil, err
		}
		if action, known := tries[event.Try]; known {
			return action(event), nil
		}
		if action, known := bombs[event.Try]; known {
			return action(event)
		}
		if withSocket[event.Try] {
			return bombWithPython(event.Try, text)
		}
		return withPython(event.Try, text)
	})
}
