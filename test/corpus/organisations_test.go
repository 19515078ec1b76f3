package corpus

import (
	"fmt"
	"strings"
)

// config is a configuration with what an analyst knows of the organisation's names.
func (b *book) config() []byte {
	return fmt.Appendf(nil, "organisation:\n  domains:\n    - {netbios: %s, dns: %s, upn_suffixes: [%s]}\n",
		b.org.netbios, b.org.dns, b.org.suffix)
}

func people(names ...string) []person {
	titles := []string{"Pilot", "Head of Sales", "Nurse", "Controller", "Service Desk Agent", "R and D", "Cook"}
	out := make([]person, len(names))
	for i, n := range names {
		first, last, _ := strings.Cut(n, " ")
		out[i] = person{first, last, titles[i%len(titles)]}
	}
	return out
}

func ascii(s string) string {
	return strings.NewReplacer("ü", "ue", "ö", "oe", "ä", "ae", "é", "e", "è", "e", "í", "i", "ł", "l", "Ł", "L", "ø", "o",
		"ç", "c", "ñ", "n", "á", "a", "ó", "o", "ë", "e", "'", "", "’", "").Replace(s)
}

func dotted(p person, _ int) string { return strings.ToLower(ascii(p.first + "." + p.last)) }

func cut(s string, n int) string { return s[:min(len(s), n)] }

// glued writes names of several words as one.
func glued(s string) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(strings.ToLower(ascii(s)))
}

// organisations name people and machines by seven rules.
func organisations() []organisation {
	names := people("Ines Abreu", "Oskar Lindqvist", "Małgorzata Wójcik", "Jörg Müller", "Siobhán O'Brien", "Karl Weber",
		"Kira Weber", "Chidi Okafor", "Anne-Marie Dubois", "Tomás García", "Yui Tanaka", "Lars Sørensen", "Vera Ek", "Uma Rao")
	plainDisplay := person.display
	lastFirst := func(p person) string { return p.last + ", " + p.first }
	return []organisation{
		{"harbour", "HARBOUR", "ad.harbour.example", "harbour.example", func(p person, i int) string {
			return fmt.Sprintf("E%06d", 104200+7*i)
		}, dotted, plainDisplay, func(i int) string { return fmt.Sprintf("HB-WS-%03d", 100+i) }, "HBDC02", names},
		{"alpine", "ALPINE", "alpine.local", "alpine-group.example", func(p person, i int) string {
			return strings.ToLower(cut(ascii(p.last), 3)+cut(ascii(p.first), 2)) + fmt.Sprintf("%02d", i+1)
		}, dotted, lastFirst, func(i int) string { return fmt.Sprintf("DESKTOP-%c%dQ%c", 'A'+i%26, i%10, 'K'+i%9) }, "ALP-DC-A", names},
		{"fjordwerk", "FJORD", "corp.fjordwerk.example", "fjordwerk.example", func(p person, i int) string {
			return strings.ToLower(cut(ascii(p.first), 1)+ascii(p.last)) + map[bool]string{true: "2"}[p.display() == "Kira Weber"]
		}, dotted, plainDisplay, func(i int) string {
			return "laptop" + []string{"anna", "bert", "cleo", "dora"}[i%4] + string(rune('a'+i%26))
		}, "fjdc1", names},
		{
			"granite", "GRANITE", "granite.test", "mail.granite.example", func(p person, i int) string {
				return strings.ToLower(ascii(p.first) + cut(ascii(p.last), 1))
			}, func(p person, i int) string { return strings.ToLower(cut(ascii(p.first), 1) + "." + ascii(p.last)) }, plainDisplay,
			func(i int) string { return fmt.Sprintf("srv-app-%02d.granite.test", i) }, "gdc01", names,
		},
		{
			"meadow", "MEADOW", "int.meadow.example", "meadow.example", func(p person, i int) string {
				return strings.ToLower(ascii(p.last)) + "." + strings.ToLower(cut(ascii(p.first), 1))
			}, func(p person, i int) string { return strings.ToLower(ascii(p.last + "." + p.first)) }, lastFirst,
			func(i int) string { return fmt.Sprintf("10.31.%d.%d", i%4, 20+i) }, "MDC1", names,
		},
		{
			"quarry", "QUARRY", "quarry.example", "quarry.example", dotted, dotted, plainDisplay,
			func(i int) string { return fmt.Sprintf("QY%05d", 30100+i) }, "QYDC1", names,
		},
		{
			"tundra", "TUNDRA", "ad.tundra.example", "tundra.example", func(p person, i int) string {
				return cut(glued(p.first), 1) + glued(p.last)
			}, func(p person, i int) string { return glued(p.first) + "." + glued(p.last) }, plainDisplay,
			func(i int) string { return fmt.Sprintf("tun%04d.ad.tundra.example", 40+i) }, "TDC1",
			people("Mareike von der Heide", "Giulia De Luca", "Min-Jun Kim", "Huong Nguyen Thi", "Jasper van den Berg", "Gaël Le Goff",
				"Ana da Silva", "Ana Silva Neto", "Kim Larsson", "Jens van der Berg", "Noor el Amrani", "Rui dos Santos"),
		},
	}
}

// detections are of Microsoft's tables, old names among them, and some that no table knows.
func detections() []detection {
	cloud := func(s string) string { return "ALERT_EXTERNAL_AATP_" + s + "_SECURITY_ALERT" }
	return []detection{
		{
			"PassTheTicketSecurityAlert", "2018", cloud("PASS_THE_TICKET"), "Identity theft using Pass-the-Ticket attack",
			"Tickets of {user} were taken to {host} and used against {dc}.",
		},
		{
			"RemoteExecutionSecurityAlert", "2019", cloud("REMOTE_EXECUTION"), "Remote code execution attempt",
			"{user} tried to run {n} commands on {dc} from {host}.",
		},
		{
			"MaliciousServiceCreationSecurityAlert", "2026", cloud("MALICIOUS_SERVICE_CREATION"), "Suspicious service creation",
			"{user} created svc{n} on {host}.",
		},
		{
			"AbnormalVpnSecurityAlert", "2025", cloud("ABNORMAL_VPN"), "Suspicious VPN connection",
			"{user} connected to a VPN with {n} machines.",
		},
		{
			"AbnormalProtocolSecurityAlert", "2034", cloud("ABNORMAL_SMB_METASPLOIT"), "Unusual protocol implementation",
			"{host} spoke an odd protocol with {dc} {n} times.",
		},
		{
			"EncryptionDowngradeSecurityAlert", "2010", cloud("SKELETON_KEY_ENCRYPTION_DOWNGRADE"), "Encryption downgrade activity",
			"The encryption that {host} asked {dc} for was weak.",
		},
		{
			"AdminSdHolderSecurityAlert", "2430", cloud("ADMIN_SD_HOLDER"), "Suspicious modification of domain AdminSdHolder",
			"{user} changed AdminSdHolder of {dns} from {host}.",
		},
		{
			"TokenForgeSecurityAlert", "2711", cloud("TOKEN_FORGE"), "Suspected token forging",
			"{user} presented {n} forged tokens from {host}.",
		},
		{
			"KeyListProbeSecurityAlert", "2712", cloud("RODC_PROBE"), "Suspected probing of key lists",
			"{user} probed the key lists of {dc} from {host}.",
		},
		{
			"ShadowTrustSecurityAlert", "2713", "ALERT_EXTERNAL_IDENTITY_GENERIC", "Suspected shadow trust",
			"{user} made a trust on {dc} from {host}.",
		},
	}
}
