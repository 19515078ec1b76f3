package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
)

// demoHold replaces the hold of ten minutes, so that a newcomer sees a hold end.
const demoHold = 10 * time.Second

// demoConfig keeps the made-up morning to itself: what it was told is kept in a directory of its own, which
// the caller removes. Of a configuration that the operator named, it plays by what decides and by the first
// target's format; the inputs, the targets and data_dir are for what is real, and are left alone.
func demoConfig(c config.Config, named bool) (config.Config, error) {
	hold := demoHold
	c.Policy.Hold = &hold
	if named {
		own := config.Default()
		own.Inputs[0].Listen = "tcp://127.0.0.1:0"
		own.Targets[0].Format = c.Targets[0].Format
		c.Inputs, c.Targets = own.Inputs[:1], own.Targets
		c.HTTP.Listen, c.Metrics.Listen = "127.0.0.1:0", ""
	}
	var err error
	c.DataDir, err = os.MkdirTemp("", "sluice-demo-")
	return c, err
}

// runDemo plays the morning through a gateway of its own.
func runDemo(ctx context.Context, c config.Config, named bool, stdout io.Writer, log *slog.Logger) (err error) {
	if c, err = demoConfig(c, named); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(c.DataDir) }() // it was made for this demo
	if named {
		log.Info("demo: the configuration's inputs, targets and data_dir are left alone; the stream goes to standard output")
	}
	t := newTally(log)
	g, err := open(ctx, c, stdout, log, t.decided)
	if err != nil {
		return err
	}
	playing, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- play(playing, g.Listeners(), log, t) }()
	err = g.Run(ctx)
	stop()
	if played := <-done; played != nil && !errors.Is(played, context.Canceled) {
		log.Error("the demo ended early", "err", played)
	}
	return err
}

// scene is one message of the made-up morning.
type scene struct {
	after time.Duration
	say   string
	line  string
}

// play sends the morning to the first input, which is of syslog over TCP, as the services would.
func play(ctx context.Context, listeners []gateway.Listener, log *slog.Logger, t *tally) error {
	address := strings.TrimPrefix(listeners[0].Address, "tcp://")
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("play the demo: %w", err)
	}
	defer func() { _ = conn.Close() }() // everything was written
	for _, s := range morning(time.Now().UTC()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.after):
		}
		log.Info("demo", "scene", s.say)
		if _, err := fmt.Fprintf(conn, "%s\n", s.line); err != nil {
			return fmt.Errorf("play the demo: %w", err)
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(3 * time.Second):
		log.Info("demo", "scene", "the morning is over; Ctrl-C ends the gateway", "tally", t.String())
	}
	return nil
}

// morning is four alerts of a company that doesn't exist, told as the two services tell them.
func morning(now time.Time) []scene {
	guid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rand.Uint32(), rand.N(1<<16), rand.N(1<<12), rand.N(1<<12), rand.N(int64(1)<<48))
	}
	object := func(t time.Time) string { return fmt.Sprintf("%08x%016x", t.Unix(), rand.Uint64()) }
	defender := func(t time.Time, class, title, id, suser, shost, msg string, severity int) string {
		return fmt.Sprintf("<36>1 %s DC01 CEF 4242 %.32s 0|Microsoft|Azure ATP|2.213.0.0|%s|%s|%d|start=%s app=Kerberos shost=%s suser=%s "+
			"msg=%s externalId=%s cs1Label=url cs1=https\\://security.microsoft.com/alerts/aa%s cs2Label=trigger cs2=new",
			now.Format("2006-01-02T15:04:05.000000-07:00"), class, class, title, severity,
			t.Format("2006-01-02T15:04:05.0000000Z"), shost, suser, msg, id, guid())
	}
	cloud := func(t time.Time, typ, title, suser, app, msg string) string {
		id := object(t.Add(40 * time.Second))
		return fmt.Sprintf("%s MCAS01 CEF:0|MCAS|SIEM_Agent|0.259.87|%s|%s|6|externalId=%s start=%d end=%d msg=%s suser=%s "+
			"destinationServiceName=%s cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://example.portal.cloudappsecurity.com/#/alerts/%s "+
			"cs2Label=uniqueServiceAppIds cs2= cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=",
			t.Format("2006-01-02T15:04:05.000Z"), typ, title, id, t.UnixMilli(), t.UnixMilli(), msg, suser, app, id)
	}
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	const cloudType = "ALERT_EXTERNAL_AATP_%s_SECURITY_ALERT"
	sync, ticket, service := at(4), at(3), at(2)
	return []scene{
		{time.Second, "Defender for Identity notifies a DCSync attack", defender(sync, "DirectoryServicesReplicationSecurityAlert",
			"Suspected DCSync attack (replication of directory services)", "2006", "mwinter", "WS-0412",
			"Malicious replication requests were successfully performed by Mara Winter (Accountant), from WS-0412 against DC01.", 10)},
		{
			2 * time.Second, "Cloud App Security notifies the same alert: another ID, another spelling of the user",
			cloud(sync, fmt.Sprintf(cloudType, "DIRECTORY_SERVICES_REPLICATION"), "Suspected DCSync attack (replication of directory services)",
				"mara.winter@example.com", "Active Directory", "Malicious replication requests were successfully performed by Mara Winter, from WS-0412 against DC01."),
		},
		{
			3 * time.Second, "Cloud App Security is first this time",
			cloud(ticket, fmt.Sprintf(cloudType, "PASS_THE_TICKET"), "Suspected identity theft (pass-the-ticket)",
				"otto.lind@example.com", "Active Directory", "Otto Lind's Kerberos tickets were stolen from WS-0007 to WS-0033 and used to access krbtgt/EXAMPLE.COM."),
		},
		{
			4 * time.Second, "Defender for Identity follows",
			defender(ticket, "PassTheTicketSecurityAlert", "Suspected identity theft (pass-the-ticket)", "2018", `EXAMPLE\olind`, "WS-0033",
				"Otto Lind (Sales Lead)'s Kerberos tickets were stolen from WS-0007 to WS-0033 and used to access krbtgt/EXAMPLE.COM.", 10),
		},
		{
			3 * time.Second, "A cloud app's alert, which only Cloud App Security sees",
			cloud(at(1), "ALERT_ANUBIS_DETECTION_VELOCITY", "Impossible travel activity", "nina.berg@example.com", "Salesforce",
				"The user Nina Berg (nina.berg@example.com) performed an impossible travel activity."),
		},
		{
			3 * time.Second, "Cloud App Security notifies an alert whose Defender for Identity datagram is late",
			cloud(service, fmt.Sprintf(cloudType, "MALICIOUS_SERVICE_CREATION"), "Suspicious service creation",
				"paul.reed@example.com", "Active Directory", "paul.reed@example.com created svc_9 in order to execute potentially malicious commands on SRV-12."),
		},
		{
			demoHold + 5*time.Second, "... and here it comes after all: the hold was over",
			defender(service, "MaliciousServiceCreationSecurityAlert", "Suspicious service creation", "2026", "preed", "SRV-12",
				"Paul Reed (Technician) created svc_9 in order to execute potentially malicious commands on SRV-12.", 5),
		},
	}
}
