package mcas_test

import (
	"testing"

	"github.com/sluice-siem/sluice/formats/cef"
	"github.com/sluice-siem/sluice/formats/mcas"
)

// TestLabelsInLowerCase: a relay that folds everything takes no policies and no objects from anybody who asks for them.
func TestLabelsInLowerCase(t *testing.T) {
	var e cef.Event
	err := cef.ParseInto(&e, "cef:0|mcas|siem_agent|0.1|event_category_upload_file|upload file|0|externalid=1_a start=1678089809762 end=1678089809762 "+
		"msg=upload file: hull.pdf suser=ida.brook@sea.example destinationservicename=box dvc= requestclientapplication= cs1label=portalurl "+
		"cs1=https://sea.portal.example/#/audits?activity.id\\=eq(1_a,) cs2label=uniqueserviceappids cs2=appid_box cs3label=targetobjects cs3=hull.pdf,keel "+
		"cs4label=policyids cs4=5f,60 c6a1label=device ipv6 address c6a1=")
	if err != nil {
		t.Fatal(err)
	}
	n, err := mcas.Normalize(e)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"policyIDs": "5f,60", "targetObjects": "hull.pdf,keel", "uniqueServiceAppIds": "appid_box"} {
		if got := n.Extra[name]; got != want {
			t.Errorf("%s is %q, want %q (%q)", name, got, want, n.Extra)
		}
	}
	if n.URL == "" {
		t.Error("it has no address")
	}
}
