package catalog

import (
	"slices"
	"testing"

	"github.com/sluice-siem/sluice/formats"
)

func mdi(id, class, title string) formats.Notification {
	return formats.Notification{
		Service: formats.DefenderForIdentity, Origin: formats.DefenderForIdentity, Type: id, Class: class, Title: title,
	}
}

func mcas(origin formats.Service, typ, title string) formats.Notification {
	return formats.Notification{Service: formats.CloudAppSecurity, Origin: origin, Type: typ, Class: typ, Title: title}
}

func risk(typ, title string) formats.Notification {
	return formats.Notification{
		Service: formats.IdentityProtection, Origin: formats.IdentityProtection, Type: typ, Class: typ, Title: title,
	}
}

func TestCompare(t *testing.T) {
	const (
		m = formats.DefenderForIdentity
		p = formats.IdentityProtection
	)
	tests := []struct {
		name string
		a, b formats.Notification
		want Agreement
	}{
		{
			"both in the tables", mdi("2006", "DirectoryServicesReplicationSecurityAlert", "x"),
			mcas(m, "ALERT_EXTERNAL_AATP_DIRECTORY_SERVICES_REPLICATION_SECURITY_ALERT", "y"), ByType,
		},
		{
			"a new type, marked as a preview", mdi("2999", "xdr_TeapotProbe", "Suspected teapot probe (Preview)"),
			mcas(m, "ALERT_EXTERNAL_MDI_TEAPOT_PROBE", "Suspected teapot probe"), ByTitle,
		},
		{
			"two types of one name", mdi("2022", "GoldenTicketSecurityAlert", "Kerberos golden ticket"),
			mcas(m, "ALERT_EXTERNAL_AATP_FORGED_PRINCIPAL_SECURITY_ALERT", "Kerberos golden ticket"), Conflict,
		},
		{
			"shared class, told apart by its ID", mdi("2034", "AbnormalProtocolSecurityAlert", "Unusual protocol implementation"),
			mcas(m, "ALERT_EXTERNAL_AATP_ABNORMAL_SMB_METASPLOIT_SECURITY_ALERT", ""), ByType,
		},
		{
			"shared class, another ID", mdi("2034", "AbnormalProtocolSecurityAlert", "Unusual protocol implementation"),
			mcas(m, "ALERT_EXTERNAL_AATP_ABNORMAL_SMB_WANNA_CRY_SECURITY_ALERT", ""), Conflict,
		},
		{
			"shared class, ID cut off, told apart by its name", mdi("", "AbnormalProtocolSecurityAlert", "SuspectedWannaCryRansomwareAttack"),
			mcas(m, "ALERT_EXTERNAL_AATP_ABNORMAL_SMB_METASPLOIT_SECURITY_ALERT", ""), Conflict,
		},
		{
			"shared class, ID cut off, a name of several", mdi("", "EncryptionDowngradeSecurityAlert", "Encryption downgrade activity"),
			mcas(m, "ALERT_EXTERNAL_AATP_SKELETON_KEY_ENCRYPTION_DOWNGRADE_SECURITY_ALERT", ""), ByType,
		},
		{
			"the class is right, the ID wrong", mdi("2019", "SamrReconnaissanceSecurityAlert", ""),
			mcas(m, "ALERT_EXTERNAL_AATP_SAMR_RECONNAISSANCE_SECURITY_ALERT", ""), ByType,
		},
		{
			"an ID that was replaced", mdi("2011", "EncryptionDowngradeSecurityAlert", ""),
			mcas(m, "ALERT_EXTERNAL_AATP_SKELETON_KEY_ENCRYPTION_DOWNGRADE_SECURITY_ALERT", ""), ByType,
		},
		{
			"in no table, by the class", mdi("2999", "TeapotBrewingSecurityAlert", "Teapot"),
			mcas(m, "ALERT_EXTERNAL_AATP_TEAPOT_BREWING_SECURITY_ALERT", "Suspected teapot"), ByType,
		},
		{
			"in no table, another class, one name", mdi("2999", "TeapotBrewingSecurityAlert", "[PREVIEW] Suspected Teapot"),
			mcas(m, "ALERT_EXTERNAL_AATP_KETTLE_SECURITY_ALERT", "suspected teapot"), ByTitle,
		},
		{
			"in no table, another class, another name", mdi("2999", "TeapotBrewingSecurityAlert", "Teapot"),
			mcas(m, "ALERT_EXTERNAL_AATP_KETTLE_SECURITY_ALERT", "Kettle"), Conflict,
		},
		{
			"a generic type, an old name of a known one", mdi("2003", "AccountEnumerationSecurityAlert", "Account enumeration reconnaissance"),
			mcas(m, "ALERT_EXTERNAL_SOMETHING", "Reconnaissance using account enumeration"), ByTitle,
		},
		{
			"a type without class in the tables", mdi("2430", "AdminSdHolderSecurityAlert", ""),
			mcas(m, "ALERT_EXTERNAL_AATP_ADMIN_SD_HOLDER_SECURITY_ALERT", ""), ByType,
		},
		{"leaked credentials", risk("leakedCredentials", "Leaked credentials"), mcas(p, "ALERT_EXTERNAL_AADIP_LEAKED_CREDENTIALS", ""), ByType},
		{"leaked credentials are no sign-in", risk("leakedCredentials", "Leaked credentials"), mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in"), Conflict},
		{"any sign-in", risk("passwordSpray", "Password spray"), mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in"), ByType},
		{
			"this sign-in", risk("anonymizedIPAddress", "Anonymous IP address"),
			mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in: Anonymous IP address"), ByType,
		},
		{
			"another sign-in", risk("passwordSpray", "Password spray"),
			mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in: Anonymous IP address"), Conflict,
		},
		{
			"a sign-in by its former name", risk("investigationsThreatIntelligence", "Microsoft Entra threat intelligence"),
			mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in: Azure AD threat intelligence"), ByType,
		},
		{
			"another sign-in by its former name", risk("unfamiliarFeatures", "Unfamiliar sign-in properties"),
			mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in: Sign-ins from infected devices"), Conflict,
		},
		{
			"a sign-in whose type the licence hides", risk("generic", "Generic"),
			mcas(p, "ALERT_EXTERNAL_AADIP_RISKY_SIGN_IN", "Risky sign-in: Anonymous IP address"), ByType,
		},
	}
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := c.Resolve(&tt.a), c.Resolve(&tt.b)
			if got, key := a.Compare(b); got != tt.want {
				t.Errorf("Compare = %d (%s), want %d\n%+v\n%+v", got, key, tt.want, a, b)
			}
			if got, _ := b.Compare(a); got != tt.want {
				t.Errorf("Compare the other way = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Account enumeration reconnaissance", "Reconnaissance using account enumeration"}
	if got := c.Names("2003"); !slices.Equal(got, want) {
		t.Errorf("Names(2003) = %q, want %q", got, want)
	}
	if got := c.Names("class:teapot"); got != nil {
		t.Errorf("Names of a class = %q, want none", got)
	}
}
