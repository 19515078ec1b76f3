package main

import (
	"context"
	"fmt"
	"io"

	"github.com/sluice-siem/sluice/gateway"
)

const storeUsage = "check | repair | export"

// store looks at data_dir of a gateway that doesn't run.
func store(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("store", storeUsage+" [--config FILE]", stderr)
	path := configFlag(f, "the gateway's configuration; embedded defaults without it")
	rest, err := parse(f, args)
	if err != nil {
		return help(err)
	}
	if len(rest) != 1 {
		return fmt.Errorf("%w: store %s", errUsage, storeUsage)
	}
	c, err := settings(*path)
	if err != nil {
		return err
	}
	log := newLog(stderr)
	var findings []gateway.Finding
	told := stdout
	switch rest[0] {
	case "check":
		findings, err = gateway.CheckStore(ctx, c, log)
	case "repair":
		findings, err = gateway.RepairStore(ctx, c, log)
	case "export":
		told = stderr // the entries are on standard output
		findings, err = gateway.ExportStore(ctx, c, log, stdout)
	default:
		return fmt.Errorf("%w: store %s", errUsage, storeUsage)
	}
	bad := false
	for _, x := range findings {
		mark := ""
		if x.Bad {
			bad, mark = true, "DAMAGED "
		}
		if _, err := fmt.Fprintf(told, "%s: %s%s\n", x.Store, mark, x.What); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("store %s: %w", rest[0], err)
	case bad:
		return errProblems
	}
	return nil
}
