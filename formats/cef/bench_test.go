package cef_test

import (
	"testing"

	"github.com/sluice-siem/sluice/formats/cef"
)

// activity is as Cloud App Security's agent writes one.
const activity = `CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_DOWNLOAD_FILE|Download file|0|externalId=105693141_20893_0c180415-c5f1-4cf2-226a-08dd44be8110 ` +
	`rt=1678093152044 start=1678093152044 end=1678093152044 msg=Download file: file plan.xlsx suser=ines.abreu@harbour.example ` +
	`destinationServiceName=Box dvc=198.51.100.23 requestClientApplication=Mozilla/5.0 (X11) cs1Label=portalURL ` +
	`cs1=https://security.microsoft.com/cloudapps/activity-log?activity.id=eq(1,) cs2Label=uniqueServiceAppIds cs2=APPID_BOX,APPID_X ` +
	`cs3Label=targetObjects cs3=,ines.abreu cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(activity)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cef.Parse(activity); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseInto is Parse for a target, which reads one event after the other.
func BenchmarkParseInto(b *testing.B) {
	var e cef.Event
	b.SetBytes(int64(len(activity)))
	b.ReportAllocs()
	for b.Loop() {
		if err := cef.ParseInto(&e, activity); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	e, err := cef.Parse(activity)
	if err != nil {
		b.Fatal(err)
	}
	e = e.Unescaped(cef.Standard)
	var out []byte
	b.SetBytes(int64(len(activity)))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = e.AppendText(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
