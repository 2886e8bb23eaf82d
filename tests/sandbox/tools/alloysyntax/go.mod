// The grammar of Alloy's configuration. Between this version and the one that Alloy v1.18.1 holds, parser, printer and
// scanner differ in nothing that a configuration shows.
module obstack.dev/sandbox/tools/alloysyntax

go 1.26

require github.com/grafana/alloy/syntax v0.1.0

require (
	github.com/fatih/color v1.15.0 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.17 // indirect
	golang.org/x/sys v0.6.0 // indirect
)
