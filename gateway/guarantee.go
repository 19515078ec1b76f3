package gateway

import (
	"cmp"
	"strings"

	"github.com/sluice-siem/sluice/config"
)

// Guarantee says of one part of the way what a message is promised there. The README shows all of them
// in a table, in these words, where ` marks what is code.
type Guarantee struct {
	Part string // of the way, such as RELP in
	Kept string // what is guaranteed
	Lost string // what can be lost or doubled, and when
}

// Leg is a part of the way that a configuration has.
type Leg struct {
	Role string // input, stream, hold or target
	Name string // of the input or the target
	Via  string // where it listens, or where it leads to
	Guarantee
	Note string // what else an operator should know of it
}

// Guarantees lists everything that a configuration may have.
func Guarantees() []Guarantee {
	return []Guarantee{
		guaranteeOf("udp in"), guaranteeOf("stream in"), guaranteeOf("relp in"), guaranteeOf("http in"),
		guaranteeOf("synced"), guaranteeOf("process"), guaranteeOf("hold"),
		guaranteeOf("stream out"), guaranteeOf("proxied stream out"), guaranteeOf("relp out"), guaranteeOf("udp out"), guaranteeOf("splunk_hec out"),
		guaranteeOf("elasticsearch out"), guaranteeOf("sentinel out"), guaranteeOf("kafka out"), guaranteeOf("nats out"),
		guaranteeOf("http out"), guaranteeOf("file out"), guaranteeOf("stdout out"),
	}
}

func guaranteeOf(what string) Guarantee {
	switch what {
	case "udp in":
		return Guarantee{
			"UDP in", "nothing: the protocol has no acknowledgement",
			"what the kernel drops; `sluice_input_dropped_datagrams_total` counts it where Linux tells",
		}
	case "stream in":
		return Guarantee{
			"TCP and TLS in", "back-pressure: a connection is read at most eight batches ahead of what is durable",
			"what was in flight or read ahead when a side died",
		}
	case "relp in":
		return Guarantee{
			"RELP in", "nothing that was answered is lost: a message is answered when it is in the stream",
			"doubled: what was recorded and not answered when a side died comes again; it is known by its ID. Without an ID " +
				"(health alerts, what isn't understood) it isn't, as a new connection counts its transactions anew",
		}
	case "http in":
		return Guarantee{
			"HTTP in", "nothing that was answered with 200 is lost; 503 says how much of the batch is durable, anything else means nothing of it",
			"doubled: what was put off or not answered and is sent again without an `Idempotency-Key`, where it has no ID. With one " +
				"a request repeated within 24 hours changes nothing, across crashes too; the same key with another body is 422",
		}
	case "synced":
		return Guarantee{"the stream, `durability: synced`", "survives power cuts and `kill -9`", "nothing that was recorded"}
	case "process":
		return Guarantee{
			"the stream, `durability: process`", "survives `kill -9`",
			"in a power cut, what was recorded in the last minutes before it, though it was acknowledged",
		}
	case "hold":
		return Guarantee{
			"what is held", "released once, across restarts; what came due in a downtime after the inputs have listened for a minute",
			"nothing that was recorded",
		}
	}
	return outOf(what)
}

// outOf is what a target promises.
func outOf(what string) Guarantee {
	switch what {
	case "stream out":
		return Guarantee{
			"TCP and TLS out",
			"what the SIEM's kernel had not acknowledged is sent again; after a reset of the connection also what it " +
				"had acknowledged in the 10 seconds before, up to 1 MiB, whether Sluice lived on or was killed before or " +
				"after it",
			"doubled: what is sent again; `sluiceEventKey` is equal. After a kill without a reset only the batch in " +
				"flight is, if Linux still shows that the SIEM closed the connection in order: within a minute, and not " +
				"over TLS, where the SIEM says goodbye first; else as after a reset. Lost is what the SIEM had left unread " +
				"for longer than 10 seconds, or beyond 1 MiB, when it reset the connection; what it had read and not kept " +
				"when it closed the connection in order, or died, for its kernel then says that it has everything (RELP " +
				"has the SIEM itself answer); and a dead letter that was " +
				"sent again by hand within 10 seconds before a reset, if a kill comes with it",
		}
	case "proxied stream out":
		return Guarantee{
			"TCP and TLS out through a proxy",
			"what the proxy's kernel had not acknowledged is sent again; after every end of the connection, Sluice's own included, also what it had " +
				"acknowledged in the 10 seconds before, up to 1 MiB, as the proxy acknowledges in the SIEM's place",
			"doubled: what is sent again; `sluiceEventKey` is equal. Lost is what had been in flight between proxy and SIEM, or " +
				"unread by the SIEM, for longer than 10 seconds, or beyond 1 MiB, when one of them died or reset the connection; " +
				"and a dead letter that was sent again by hand within 10 seconds before that, if a kill comes with it",
		}
	case "relp out":
		return Guarantee{
			"RELP out", "an event leaves the queue when the receiver has answered for it",
			"doubled, with equal event key: what was sent and not answered when a side died. Lost is what the receiver " +
				"answered for and lost itself, such as rsyslog's queue in memory",
		}
	case "splunk_hec out":
		return Guarantee{
			"splunk_hec", "an event leaves the queue when Splunk has accepted it, with `acknowledgement: true` when an indexer has " +
				"it",
			"doubled, with equal `event_key`: what was not answered, or not acknowledged within `ack_timeout` or " +
				"before Sluice ended, and what stood before an event that Splunk refuses. Without acknowledgement lost is " +
				"what Splunk accepted and lost before indexing",
		}
	case "elasticsearch out":
		return Guarantee{
			"elasticsearch", "an event leaves the queue when it is indexed; a repeated one has the same `_id`, and isn't taken twice",
			"doubled: what is repeated after a data stream has rolled over, as an `_id` is unique in one backing index",
		}
	case "sentinel out":
		return Guarantee{
			"sentinel", "an event leaves the queue when the service has accepted it",
			"doubled, with equal `EventKey`: what was accepted and not answered. Lost is what the rule's transformation drops, of which " +
				"the service says nothing",
		}
	case "kafka out":
		return Guarantee{
			"kafka", "an event leaves the queue when all replicas in sync have it (`acks=all`, idempotent producer)",
			"doubled, with equal header `event_key`: what was written and not acknowledged, where the connection or Sluice died with it",
		}
	case "nats out":
		return Guarantee{
			"nats", "an event leaves the queue when JetStream has stored it; a repeated one has the same `Nats-Msg-Id`",
			"doubled: what is repeated after the stream's duplicate window, which is two minutes where nobody sets it",
		}
	case "http out":
		return Guarantee{
			"http", "an event leaves the queue when the receiver has answered 2xx",
			"doubled: what was taken and not answered comes again under the same `webhook-id`, or, with `body: " +
				"ndjson`, perhaps cut into other requests; the event keys are equal",
		}
	case "udp out":
		return Guarantee{"UDP out", "sent once", "anything"}
	case "file out":
		return Guarantee{
			"file", "whole lines, synced; `rotate` cuts no line and loses none",
			"doubled after a crash or a power cut, which may also leave lines that were being written cut short: their " +
				"events come again. What is beyond `rotate.keep` is removed on purpose. Of a named pipe, which is written to while somebody has it open: " +
				"lost what they had not read when they died and Sluice stopped, too",
		}
	case "stdout out":
		return Guarantee{"stdout", "whole lines, given to the operating system", "what whoever reads them had not read when it died; doubled after a crash, and after a stop while nobody read them"}
	}
	return Guarantee{Part: what}
}

// Route lists the parts of the way of a message by a checked configuration: every input leads through
// the stream to every target.
func Route(c config.Config) []Leg {
	var legs []Leg
	for _, i := range c.Inputs {
		what := i.Type + " in"
		if i.Type == "syslog" {
			what = carrier(i.Listen) + " in"
		}
		legs = append(legs, Leg{Role: "input", Name: i.Name, Via: i.Listen, Guarantee: guaranteeOf(what)})
	}
	legs = append(legs, Leg{Role: "stream", Guarantee: guaranteeOf(c.Stream.Durability)}, Leg{Role: "hold", Guarantee: guaranteeOf("hold")})
	for _, t := range c.Targets {
		what, via := t.Type+" out", cmp.Or(t.Path, t.URL, strings.Join(t.Brokers, " "))
		if t.Type == "syslog" {
			what, via = carrier(t.Address)+" out", t.Address
			if what == "stream out" && t.Proxy != "" && t.Proxy != "none" {
				what = "proxied " + what
			}
		}
		l := Leg{Role: "target", Name: t.Name, Via: via, Guarantee: guaranteeOf(what)}
		if t.Bare() {
			l.Note = "with `format: cef_original` the SIEM sees neither Sluice's alert ID nor the event key nor the twin here; " +
				"syslog with `header: rfc5424`, Kafka, NATS, Splunk and an `http` target with `body: one` carry them in their headers"
		}
		legs = append(legs, l)
	}
	return legs
}

// carrier is udp, relp, or stream for what acknowledges to the other kernel.
func carrier(address string) string {
	switch {
	case strings.HasPrefix(address, "udp://"):
		return "udp"
	case strings.HasPrefix(address, "relp"):
		return "relp"
	}
	return "stream"
}
