// Command starlark runs a Tiltfile with the interpreter of tilt and with stand-ins for its functions: the first argument
// is a file that defines them, the second one the Tiltfile. It prints what was called, a line each, and ends with 1 and
// the place if the file cannot be read, calls what is not there, or names an argument or a path that is not there.
//
// It knows the form of tilt's functions and nothing of what they do: only tilt itself says what comes of a Tiltfile.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// As tilt sets them.
var options = &syntax.FileOptions{
	Set:             true,
	While:           true,
	TopLevelControl: true,
	GlobalReassign:  true,
	Recursion:       true,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		var evaluated *starlark.EvalError
		if errors.As(err, &evaluated) {
			fmt.Fprintln(os.Stderr, evaluated.Backtrace())
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: starlark STANDINS TILTFILE")
	}
	root := filepath.Dir(args[1])
	thread := &starlark.Thread{Print: func(_ *starlark.Thread, text string) { fmt.Println(text) }}
	tools := starlark.StringDict{
		// What has been defined so far: what a file defines itself is frozen when the file ends.
		"resources": starlark.NewDict(0),
		"struct":    starlark.NewBuiltin("struct", starlarkstruct.Make),
		"is_file": starlark.NewBuiltin("is_file", func(_ *starlark.Thread, own *starlark.Builtin,
			args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			var path string
			if err := starlark.UnpackPositionalArgs(own.Name(), args, kwargs, 1, &path); err != nil {
				return nil, err
			}
			_, err := os.Stat(filepath.Join(root, path))
			return starlark.Bool(err == nil), nil
		}),
	}
	standins, err := starlark.ExecFileOptions(options, thread, args[0], nil, tools)
	if err != nil {
		return err
	}
	_, err = starlark.ExecFileOptions(options, thread, args[1], nil, standins)
	return err
}
