package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

// health asks the running gateway whether it is ready, for containers without a shell.
func health(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("health", "[--config FILE] [--address HOST:PORT]", stderr)
	path := configFlag(f, "the configuration that the gateway runs with; embedded defaults without it")
	address := f.String("address", "", "where the gateway serves health, instead of the configuration's")
	rest, err := parse(f, args)
	if err != nil {
		return help(err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: health takes no arguments, found %q", errUsage, rest[0])
	}
	scheme, client := "http", http.DefaultClient
	if *address == "" {
		c, err := settings(*path)
		if err != nil {
			return err
		}
		*address = healthAddress(c)
		if c.HTTP.TLS.Cert != "" && c.HTTP.Listen != "" { // asked by an address that its certificate doesn't name, and told nothing
			scheme, client = "https", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}}
		}
	}
	if *address == "" {
		return fmt.Errorf("the configuration has neither http.listen nor metrics.listen: nothing can be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+*address+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("%w: --address %s: %w", errUsage, *address, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", *address, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("ask %s: %w", *address, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", *address, response.Status, strings.TrimSpace(string(text)))
	}
	_, err = fmt.Fprint(stdout, string(text))
	return err
}

// healthAddress is where to ask from the same machine; an unspecified address is asked on loopback.
func healthAddress(c config.Config) string {
	address := c.HTTP.Listen
	if address == "" {
		address = c.Metrics.Listen
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

func version(stdout io.Writer) error {
	v, revision := gateway.Version(), ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
		v += revision + " " + info.GoVersion
	}
	_, err := fmt.Fprintln(stdout, "sluice", v)
	return err
}
