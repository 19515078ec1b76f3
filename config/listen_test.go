package config_test

import (
	"testing"

	"github.com/sluice-siem/sluice/config"
)

func TestAddressesThatAreRight(t *testing.T) {
	for _, listen := range []string{
		"tcp://:5514", "udp://:0", "tcp://0.0.0.0:5514", "tcp://[::]:5514", "tcp://[::1]:5514", "udp://[fe80::1%eth0]:514",
		"tcp://localhost:65535", "tcp://gw.fernweh.example.:5514", "udp://gw_1:5514", "tcp://1st.fernweh.example:5514", "tcp://9front:5514",
	} {
		if got := parse(t, "inputs: [{name: a, listen: '"+listen+"'}]").Inputs[0].Listen; got != listen {
			t.Errorf("listen: %s is %q", listen, got)
		}
	}
	for _, address := range []string{"tls://siem.fernweh.example:6514", "udp://[2001:db8::7]:514", "tcp://192.0.2.7:5514", "udp://siem:1"} {
		if got := parse(t, "targets: [{name: a, type: syslog, address: '"+address+"'}]").Targets[0].Address; got != address {
			t.Errorf("address: %s is %q", address, got)
		}
	}
	for _, listen := range []string{"", "127.0.0.1:0", "[::1]:8514", "localhost:8514", "127.1.2.3:9514"} {
		if got := parse(t, "http: {listen: '"+listen+"'}").HTTP.Listen; got != listen {
			t.Errorf("http.listen: %s is %q", listen, got)
		}
	}
	for _, listen := range []string{"", ":9514", "0.0.0.0:9514", "[::]:9514", "gw.fernweh.example:9514"} {
		if got := parse(t, "metrics: {listen: '"+listen+"'}").Metrics.Listen; got != listen {
			t.Errorf("metrics.listen: %s is %q", listen, got)
		}
	}
}

// What may look like a conflict and is none.
func TestPortsThatDoNotMeet(t *testing.T) {
	for _, text := range []string{
		"inputs: [{name: a, listen: 'tcp://127.0.0.1:1'}, {name: b, listen: 'udp://127.0.0.1:1'}]",
		"inputs: [{name: a, listen: 'tcp://127.0.0.1:1'}, {name: b, listen: 'tcp://127.0.0.2:1'}]",
		"inputs: [{name: a, listen: 'tcp://0.0.0.0:1'}, {name: b, listen: 'tcp://[::1]:1'}]",
		"inputs: [{name: a, listen: 'tcp://:0'}, {name: b, listen: 'tcp://:0'}]",
		"inputs: [{name: a, listen: 'udp://:8514'}]",
		"http: {listen: '127.0.0.1:0'}\nmetrics: {listen: '127.0.0.1:0'}",
		"http: {listen: ''}\nmetrics: {listen: '127.0.0.1:8514'}",
		"targets: [{name: a, type: syslog, address: 'tcp://192.0.2.7:5514'}]",
		"inputs: [{name: a, listen: 'udp://:1'}]\ntargets: [{name: a, type: syslog, address: 'tcp://127.0.0.1:1'}]",
	} {
		if _, err := config.Parse("sluice.yaml", []byte(text), noEnv); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
