// Command alloysyntax reads files with Alloy's own parser, and holds their form against Alloy's own printer, as
// `alloy fmt --test` does. It prints what is wrong, with file and line, and ends with 1 if anything is.
//
// It knows the grammar and no component: whether a component or an argument exists, only Alloy itself says.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(path, text)
	if err != nil {
		return err
	}
	var formed bytes.Buffer
	if err := printer.Fprint(&formed, file); err != nil {
		return err
	}
	// `alloy fmt` ends a file with a line break, which the printer leaves to it.
	formed.WriteByte('\n')
	if !bytes.Equal(text, formed.Bytes()) {
		return fmt.Errorf("is not as `alloy fmt` writes it:\n%s", formed.Bytes())
	}
	return nil
}
