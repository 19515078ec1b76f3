package target

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// BenchmarkFrame renders an activity and puts it into a syslog message, as it goes over the wire.
func BenchmarkFrame(b *testing.B) {
	const line = `2023-03-06T08:59:12.044Z hb-agent CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_DOWNLOAD_FILE|Download file|0|` +
		`externalId=105693141_20893_0c180415-c5f1-4cf2-226a-08dd44be8110 rt=1678093152044 start=1678093152044 end=1678093152044 ` +
		`msg=Download file: file plan.xlsx suser=ines.abreu@harbour.example destinationServiceName=Box dvc=198.51.100.23 ` +
		`requestClientApplication=Mozilla/5.0 (X11) cs1Label=portalURL cs1=https://security.microsoft.com/cloudapps/activity-log?activity.id=eq(1,) ` +
		`cs2Label=uniqueServiceAppIds cs2=APPID_BOX,APPID_X cs3Label=targetObjects cs3=,ines.abreu cs4Label=policyIDs cs4= ` +
		`c6a1Label="Device IPv6 Address" c6a1=`
	e := received([]byte(line))
	for _, format := range []string{"cef", "cef_original", "cef_rendered", "leef2", "json", "ecs", "ocsf", "asim", "common_security_log", "sentinel_table"} {
		v, err := newEnvelope(format, "rfc5424", "gw1")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(format, func(b *testing.B) { frames(b, v, &e) })
	}
}

// BenchmarkDeliver is the whole of a target, but for its peer: an op is one activity of a batch of 100.
func BenchmarkDeliver(b *testing.B) {
	e := received([]byte(`2023-03-06T08:59:12.044Z hb-agent CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_LOGIN|Log on|0|` +
		`externalId=105693141_20893_0c180415-c5f1-4cf2-226a-08dd44be8110 rt=1678093152044 start=1678093152044 end=1678093152044 ` +
		`msg=Log on suser=ines.abreu@harbour.example destinationServiceName=Box dvc=198.51.100.23 cs1Label=portalURL cs1=https://harbour.example/`))
	batch := slices.Repeat([]*stream.Entry{&e}, 100)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	log, m := slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry())
	wire, err := NewSyslog(config.Target{Name: "siem", Address: "tcp://" + listener.Addr().String(), Format: "cef"}, "gw1", log, m)
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := NewStdout(config.Target{Format: "cef"}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name    string
		deliver func(context.Context, []*stream.Entry) ([]Result, error)
	}{{"syslog", wire.Deliver}, {"stdout", stdout.Deliver}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(batch) > 0 {
					continue
				}
				if results, err := bb.deliver(b.Context(), batch); err != nil || results[99] != Delivered {
					b.Fatal(results, err)
				}
			}
		})
	}
	if err := wire.Close(); err != nil {
		b.Error(err)
	}
}

func frames(b *testing.B, v *envelope, e *stream.Entry) {
	var out []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if out, err = v.frame(out[:0], e); err != nil {
			b.Fatal(err)
		}
	}
}
