// Package render writes entries of the stream in the formats that SIEMs read: as JSON of our own and as CEF.
// It is pure, so that every format goes over every transport: an entry in, a line out.
//
// Of what a sender wrote, everything is escaped or replaced, so that nothing in it can pass for a
// field, a message or an event of its own.
package render

import (
	"fmt"
	"strings"

	"github.com/sluice-siem/sluice/formats/catalog"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// Func appends an entry to b, on one line without its end and at most limit bytes long; 0 is any
// length. With an error, b is as it was. Nobody may call it while it runs.
type Func func(b []byte, e *stream.Entry, limit int) ([]byte, error)

// For picks the Func for a format of the configuration, for one target. It fails for a format that there isn't.
func For(format string) (Func, error) {
	c, err := catalog.New()
	if err != nil {
		return nil, err
	}
	return pick(format, c)
}

func pick(format string, c *catalog.Catalog) (Func, error) {
	switch format {
	case "cef":
		return (&cefRenderer{catalog: c}).append, nil
	case "cef_original":
		return (&originalRenderer{cefRenderer{catalog: c}}).append, nil
	}
	write := map[string]func(*line, []byte) ([]byte, error){
		"asim":                (*line).appendASIM,
		"cef_rendered":        (*line).appendRenderedCEF,
		"common_security_log": (*line).appendCommonSecurityLog,
		"ecs":                 (*line).appendECS,
		"json":                (*line).appendJSON,
		"leef1":               (*line).appendLEEF1,
		"leef2":               (*line).appendLEEF2,
		"ocsf":                (*line).appendOCSF,
		"sentinel_table":      (*line).appendSentinelTable,
	}[format]
	if write == nil {
		return nil, fmt.Errorf("format %q: want one of %s", format, strings.Join(words(), ", "))
	}
	return (&renderer{catalog: c, write: write}).append, nil
}

// words are those by which the configuration names a format.
func words() []string {
	return []string{
		"asim", "cef", "cef_original", "cef_rendered", "common_security_log", "ecs", "json", "leef1", "leef2", "ocsf", "sentinel_table",
	}
}

// appendOne renders one entry and no other.
func appendOne(format string, b []byte, e *stream.Entry) ([]byte, error) {
	r, err := For(format)
	if err != nil {
		return b, err
	}
	return r(b, e, 0)
}
