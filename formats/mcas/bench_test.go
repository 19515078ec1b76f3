package mcas_test

import (
	"testing"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
)

func BenchmarkNormalize(b *testing.B) {
	for _, bb := range []struct{ name, event string }{
		{
			"activity", `CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_DOWNLOAD_FILE|Download file|0|externalId=105693141_20893_0c180415-c5f1-4cf2-226a-08dd44be8110 ` +
				`rt=1678093152044 start=1678093152044 end=1678093152044 msg=Download file: file plan.xlsx suser=ines.abreu@harbour.example ` +
				`destinationServiceName=Box dvc=198.51.100.23 requestClientApplication=Mozilla/5.0 (X11) cs1Label=portalURL ` +
				`cs1=https://security.microsoft.com/cloudapps/activity-log?activity.id=eq(1,) cs2Label=uniqueServiceAppIds cs2=APPID_BOX,APPID_X ` +
				`cs3Label=targetObjects cs3=,ines.abreu cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`,
		},
		{
			"alert", `CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_CABINET_EVENT_MATCH_AUDIT|Network mapping reconnaissance (DNS)|3|` +
				`externalId=6405ab51c20f4e9d17b3a886 start=1678093137123 end=1678093137123 msg=Ines Abreu performed 6 suspicious activities ` +
				`suser=ines.abreu@harbour.example destinationServiceName=Box cn1Label=riskScore cn1= cs1Label=portalURL ` +
				`cs1=https://harbour.portal.cloudappsecurity.com/#/alerts/6405ab51c20f4e9d17b3a886 cs2Label=uniqueServiceAppIds cs2=APPID_BOX ` +
				`cs3Label=relatedAudits cs3=1678093137123_a,1678093137123_b cs4Label=policyIDs cs4=63f0a1b2c3d4e5f601234567`,
		},
	} {
		e, err := cef.Parse(bb.event)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := mcas.Normalize(e); err != nil || n.ID == "" {
					b.Fatal(n, err)
				}
			}
		})
	}
}
