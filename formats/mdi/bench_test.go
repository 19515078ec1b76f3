package mdi_test

import (
	"testing"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mdi"
)

func BenchmarkNormalize(b *testing.B) {
	for _, bb := range []struct{ name, event string }{
		{
			"alert", `CEF:0|Microsoft|Azure ATP|2.220.17123.1|PassTheTicketSecurityAlert|Identity theft using Pass-the-Ticket attack|5|` +
				`start=2023-11-06T10:00:09.8189251Z app=Kerberos shost=srv-app-07.granite.test suser=Yui Tanaka msg=Tickets of yuit were taken ` +
				`to srv-app-07 and used against gdc01. externalId=2018 cs1Label=url ` +
				`cs1=https\://security.microsoft.com/alerts/aab7186ed6-121e-44a7-9f11-723ef542f5f6 cs2Label=trigger cs2=new`,
		},
	} {
		e, err := cef.Parse(bb.event)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := mdi.Normalize(e); err != nil || n.ID == "" {
					b.Fatal(n, err)
				}
			}
		})
	}
}
