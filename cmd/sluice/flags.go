package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/sluice-siem/sluice/config"
)

// errHelp says that help was asked for and given.
var errHelp = fmt.Errorf("%w", flag.ErrHelp)

func newFlags(name, arguments string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // what is wrong is in the error
	f.Usage = func() {
		f.SetOutput(stderr)
		_, _ = fmt.Fprintf(stderr, "Usage: sluice %s %s\n", name, arguments)
		f.PrintDefaults()
	}
	return f
}

// parse reads flags wherever they stand between the arguments, and gives the arguments.
func parse(f *flag.FlagSet, args []string) ([]string, error) {
	usage := f.Usage
	f.Usage = func() {} // only where it is asked for
	var rest []string
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			usage()
			return nil, errHelp
		} else if err != nil {
			return nil, fmt.Errorf("%w: %s: %w\n\"sluice %s --help\" tells its flags", errUsage, f.Name(), err, f.Name())
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
}

// configFlag names the configuration. An empty name is none that was left out, but one that a script failed to fill in: on the
// defaults a gateway would run beside its data, without a word.
func configFlag(f *flag.FlagSet, usage string) *string {
	var path string
	f.Func("config", usage, func(s string) error {
		if s == "" {
			return errors.New("found an empty name, expected a file")
		}
		path = s
		return nil
	})
	return &path
}

// files is a flag that may be given several times.
type files []string

func (l *files) String() string     { return fmt.Sprint([]string(*l)) }
func (l *files) Set(s string) error { *l = append(*l, s); return nil }

// load reads a configuration, or gives the embedded defaults where none is named.
func load(path string) (config.Config, error) {
	if path == "" {
		return config.Default(), nil
	}
	return config.Load(path)
}

// settings is load for a command that neither listens nor delivers. The gateway goes on with the certificates it had while a
// renewal has left garbage, and that is the night when somebody has to ask it.
func settings(path string) (config.Config, error) {
	if path == "" {
		return config.Default(), nil
	}
	return config.Read(path)
}
