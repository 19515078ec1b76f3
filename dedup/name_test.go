package dedup

import (
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

func TestKin(t *testing.T) {
	org := config.Organisation{Domains: []config.Domain{
		{NetBIOS: "ALPINE", DNS: "ad.alpine.example", UPNSuffixes: []string{"alpine.example", "alpine-group.example"}},
		{NetBIOS: "HARBOUR", DNS: "harbour.local", UPNSuffixes: []string{"harbour.example"}},
	}}
	tests := []struct {
		name string
		a, b string
		want kinship
	}{
		{"two names that differ in their vowels only", "मीना शर्मा", "मोना शर्मा", stranger},
		{"one name in Devanagari", "शर्मा, मीना", "मीना शर्मा", same},
		{"two names in Bengali", "রীনা দাস", "রানা দাস", stranger},
		{"two names in kana", "ごとう けん", "ことう けん", stranger},
		{"half-width kana", "ｺﾞﾄｳ ｹﾝ", "ゴトウ ケン", same},
		{"a name in Hebrew with its points", "דָּוִד כֹּהֵן", "דוד כהן", same},
		{"an accent of its own", "Zoe\u0308 Noe\u0308l", "zoe.noel@x.example", same},
		{"marks of the direction", "\u200fדוד כהן\u200e", "דוד כהן", same},
		{"a byte order mark before an account", "\ufeffjdoe", "jdoe@x.example", same},
		{"equal accounts", "jdoe", "JDOE", same},
		{"domain account and its UPN", `ALPINE\jdoe`, "jdoe@alpine.example", same},
		{"DNS domain account and its UPN", `ad.alpine.example\jdoe`, "jdoe@alpine-group.example", same},
		{"alias suffix of one domain", "j.doe@alpine.example", "j.doe@alpine-group.example", same},
		{"equal names in two domains", `HARBOUR\jdoe`, "jdoe@alpine.example", namesake},
		{"abbreviations in two domains", `HARBOUR\jdoe`, "jane.doe@alpine.example", namesake},
		{"suffixes of which nothing is known", "jdoe@one.example", "jdoe@two.example", likely},
		{"initial and last name", "jthorne", "jonas.thorne@x.example", likely},
		{"first name and initial", "jonast", "jonas.thorne@x.example", likely},
		{"last name and initial", "thornej", "jonas.thorne@x.example", likely},
		{"three and two letters with a number", "thojo01", "jonas.thorne@x.example", likely},
		{"both names whole", "jonasthorne", "Jonas Thorne", same},
		{"a number behind the abbreviation", "jthorne2", "Jonas Thorne", likely},
		{"initial that is a transcription", "oengel", "otto.engel@x.example", likely},
		{"umlaut written out", "kmueller", "Karl Müller", likely},
		{"umlaut without its dots", "kmuller", "Karl Müller", likely},
		{"another initial", "kthorne", "jonas.thorne@x.example", stranger},
		{"another last name", "jthorne", "jonas.thornton@x.example", stranger},
		{"display name and UPN", "Jonas Thorne", "jonas.thorne@x.example", same},
		{"last name first", "Thorne, Jonas", "jonas.thorne@x.example", same},
		{"job title", "Jonas Thorne (System Administrator)", "jonas.thorne@x.example", same},
		{"display name with the UPN", "Jonas Thorne (jonas.thorne@x.example)", "jonas.thorne@x.example", same},
		{"middle name", "Jonas M. Thorne", "jonas.thorne@x.example", likely},
		{"accents", "Zoë Łukasz", "zoe.lukasz@x.example", same},
		{"apostrophe", "Niamh O'Brien", "niamh.obrien@x.example", same},
		{"cut at twenty characters", "maximilian.featherst", "maximilian.featherstone@x.example", same},
		{"employee number says nothing", "E104233", "jonas.thorne@x.example", incomparable},
		{"two employee numbers", "E104233", "E104234", stranger},
		{"another script says nothing", "王小明", "xiaoming.wang@x.example", incomparable},
		{"syllables of the first name behind the surname", "wangxm", "xiaoming.wang@x.example", incomparable},
		{"syllables before the surname", "mskim2", "minsu.kim@x.example", incomparable},
		{"other syllables", "wangxm", "xiaoli.wang@x.example", stranger},
		{"letters that begin no syllable", "smithjn", "john.smith@x.example", stranger},
		{"initials behind a surname", "smithjd", "jordan.smith@x.example", stranger},
		{"initials behind another surname", "brownjs", "jessica.brown@x.example", stranger},
		{"initial of a second surname", "jperezg", "jose.perez@x.example", stranger},
		{"initial of a middle name", "jqpublic2", "john.public@x.example", stranger},
		{"initial of a middle name, and another surname", "jqpublic", "john.publicola@x.example", stranger},
		{"initial of a middle name, and another first one", "jqpublic", "kim.public@x.example", stranger},
		{"initial of a middle name, of an administrator", "adm-jqpublic", "john.public@x.example", stranger},
		{"syllables behind a surname with an h", "zhangxm", "xiaoming.zhang@x.example", incomparable},
		{"syllables behind a surname that begins with a vowel", "anjw", "jiwoo.an@x.example", incomparable},
		{"syllables and another surname", "wangxm", "xiaoming.zhang@x.example", stranger},
		{"administrator and an account that can't be compared", "adm-ahmedh", "a.hassan@x.example", namesake},
		{"administrator and a number", "adm-jthorne", "E104233", incomparable},
		{"administrator and an object's ID", "6f0e8c1b-58a4-4c71-9a0d-1f2e3d4c5b6a", "adm-jthorne@x.example", incomparable},
		{"administrator's number and a name", "adm-104233", "jonas.thorne@x.example", namesake},
		{"a letter before a number", "u-104233", "jonas.thorne@x.example", incomparable},
		{"Cyrillic", "Юлия Иванова", "yulia.ivanova@x.example", likely},
		{"Cyrillic, written another way", "Щербаков Юрий Яковлевич", "iurii.sherbakov@x.example", likely},
		{"Cyrillic and an abbreviation", "Елена Жукова", "ezhukova", likely},
		{"Cyrillic account", "ЕЖукова", "elena.zhukova@x.example", likely},
		{"Cyrillic and initials behind the surname", "Белая Мария Ивановна", "belaya.mi@x.example", likely},
		{"Cyrillic and an initial", "Юрий Щербаков", "y.shcherbakov@x.example", likely},
		{"Cyrillic, written in Ukrainian", "Ольга Шевченко", "olha.shevchenko@x.example", incomparable},
		{"Cyrillic, with a c", "Илья Муромцев", "ilia.muromcev@x.example", incomparable},
		{"Serbian and another person", "Ђорђе Петровић", "dmitry.tsoy@x.example", stranger},
		{"Greek b", "Ευαγγελία Μπακογιάννη", "evangelia.bakogianni@x.example", likely},
		{"Cyrillic, with a soft sign", "Наталья Хрущёва", "natalia.khrushcheva@x.example", likely},
		{"Cyrillic signs that stand for no letter", "ь ъ", "j.a@x.example", incomparable},
		{"Cyrillic, another first name", "Елена Жукова", "irina.zhukova@x.example", stranger},
		{"Cyrillic, another surname", "Елена Жукова", "elena.zhuravleva@x.example", stranger},
		{"Cyrillic, a short form of the first name", "Александр Волков", "alex.volkov@x.example", incomparable},
		{"Cyrillic, a nickname", "Александр Волков", "sasha.volkov@x.example", incomparable},
		{"Cyrillic, another's nickname", "Александр Волков", "tanya.volkova@x.example", stranger},
		{"Cyrillic, written in French", "Сергей Шевченко", "sergei.chevtchenko@x.example", incomparable},
		{"Cyrillic, an English j", "Джон Смит", "john.smith@x.example", incomparable},
		{"Cyrillic, a k written as c", "Эрик Кан", "eric.kan@x.example", incomparable},
		{"Cyrillic and another abbreviation", "Елена Жукова", "ivolkov", incomparable},
		{"Greek", "Γιώργος Παπαδόπουλος", "giorgos.papadopoulos@x.example", likely},
		{"Greek, written another way", "Γιώργος Παπαδόπουλος", "george.papadopoulos@x.example", incomparable},
		{"Greek, a nickname", "Κωνσταντίνος Γεωργίου", "kostas.georgiou@x.example", incomparable},
		{"Greek, another first name", "Γιώργος Παπαδόπουλος", "nikos.papadopoulos@x.example", stranger},
		{"guest and home address", "anna_gmail.com#EXT#@x.onmicrosoft.example", "anna@gmail.com", same},
		{"guests of two homes", "anna_gmail.com#EXT#@x.onmicrosoft.example", "anna@two.example", namesake},
		{"guest whose mail's provider vouches", "live.com#jdoe@two.example", "jdoe@two.example", same},
		{"guest whose mail's provider vouches, and one of ours", "live.com#jane.doe@two.example", "jane.doe@alpine.example", namesake},
		{"more words than a name has", "a b c d e f g h i j k l m", "b.a.c.d.e.f.g.h.i.j.k.l.m@x.example", stranger},
		{"more words than a name has, and a name", "a b c d e f g h i j k l m", "jane.doe@x.example", incomparable},
		{"more words than a name has, in a job title", "Ida Brook (" + strings.Repeat("of it ", 40) + ")", "ida.brook@x.example", same},
		{"more hyphens than a name has, in a job's number", "Ida Brook (J-1-2-3-4-5-6-7-8-9-10-11-12)", "ida.brook@x.example", same},
		{"more hyphens than a name has, in a domain", "ida.brook@a-b-c-d-e-f-g-h-i-j-k-l-m.example", "Ida Brook", same},
		{"an account longer than a name can be", strings.Repeat("ab", 120), "HARBOUR\\" + strings.Repeat("ab", 120), same},
		{"longer than a name can be", strings.Repeat("ab-", 70) + " " + strings.Repeat("cd-", 70), strings.Repeat("cd-", 70) + " " + strings.Repeat("ab-", 70), stranger},
		{"distinguished name", "CN=Jane Doe,OU=Sales,DC=ad,DC=alpine,DC=example", "jane.doe@alpine.example", same},
		{"distinguished name, last name first", `cn=Doe\, Jane,ou=Sales,dc=ad,dc=alpine,dc=example`, "jane.doe@alpine.example", same},
		{"distinguished name of an account", "CN=jdoe,DC=ad,DC=alpine,DC=example", `ALPINE\jdoe`, same},
		{"distinguished name in another domain", "CN=Jane Doe,OU=Sales,DC=harbour,DC=local", "jane.doe@alpine.example", namesake},
		{"one distinguished name in two domains", "CN=Jane Doe,DC=harbour,DC=local", "CN=Jane Doe,DC=ad,DC=alpine,DC=example", namesake},
		{"distinguished name of somebody else", "CN=John Doe,DC=ad,DC=alpine,DC=example", "jane.doe@alpine.example", stranger},
		{"a number sign in two accounts of ours", "ida.brook#1@harbour.example", "otto.stein#1@harbour.example", stranger},
		{"two entries of one name", "CN=Jane Doe,OU=Sales,DC=alpine,DC=example", "CN=Jane Doe,OU=Staff,DC=alpine,DC=example", namesake},
		{"one entry, with blanks", "CN=Jane Doe, OU=Sales, DC=alpine, DC=example", "cn=Jane Doe,ou=Sales,dc=alpine,dc=example", same},
		{"one GUID", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", same},
		{"guest and one of ours", "jdoe_two.example#EXT#@alpine.onmicrosoft.example", "jdoe@alpine.example", namesake},
		{"guest and an account of no domain", "jdoe_two.example#EXT#@alpine.onmicrosoft.example", "jdoe", doubtful},
		{"guest and a display name", "jane.doe_two.example#EXT#@alpine.onmicrosoft.example", "Jane Doe", same},
		{"guest and an account of a domain", "jdoe_two.example#EXT#@alpine.onmicrosoft.example", `LAKE\jdoe`, doubtful},
		{"two people of one last name", "karl.weber@x.example", "kira.weber@x.example", stranger},
		{"two first names", "Karl Weber", "Kira Weber", stranger},
		{"administrator beside the person", "adm-jthorne", "jthorne@x.example", namesake},
		{"administrators in several spellings", "jthorne.adm", "jthorne@x.example", namesake},
		{"administrators in two words for it", "jthorne-adm", "jthorne-admin@x.example", same},
		{"no employee, by one account", "ext-jthorne", "jonas.thorne@x.example", doubtful},
		{"no employee, by both accounts", "ext-jthorne", "jonas.thorne.external@x.example", likely},
		{"no employee, and an administrator", "ext-jthorne", "jthorne.adm@x.example", namesake},
		{"role in front", "t0_jthorne", "jonas.thorne@x.example", namesake},
		{"half of a double surname", "Anna Kowalska", "anna.kowalska-nowak@x.example", likely},
		{"the other half", "Jane Doe-Miller", "jane.miller@x.example", likely},
		{"half of a double first name", "Jean-Pierre Martin", "pierre.martin@x.example", stranger},
		{"another double surname", "Anna Kowalska-Nowak", "anna.kowalska-wrona@x.example", stranger},
		{"two roles", "a-jthorne", "jthorne.adm@x.example", namesake},
		{"one role", `ALPINE\adm-jthorne`, "jonas.thorne.adm@alpine.example", likely},
		{"administrator by the display name", "a-jthorne", "Jonas Thorne (Admin)", likely},
		{"the display name of the person", "jthorne", "Jonas Thorne (Admin)", namesake},
		{"the display name may not tell the role", "jthorne_adm", "Jonas Thorne", doubtful},
		{"initial before a point is no role", "athorne", "a.thorne@x.example", same},
		{"particle before a point is no role", "dasilva", "da.silva@x.example", same},
		{"son", "John Smith Jr.", "john.smith@x.example", doubtful},
		{"father and son", "John Smith Sr.", "John Smith Jr", namesake},
		{"son in both", "Smith Jr., John", "john.smith.jr@x.example", same},
		{"the second of a name", "ida.brook@x.example", "ida.brook2@x.example", namesake},
		{"the second of a name and the display name", "Ida Brook", "ida.brook2@x.example", same},
		{"the second of a name, abbreviated", "ibrook2", "ida.brook2@x.example", likely},
		{"the third", "ibrook3", "ida.brook2@x.example", namesake},
		{"the second of a name with its initial", "kumar.s2", "suresh.kumar@x.example", likely},
		{"the second of a name with its initial, in both", "kumar.s2", "s.kumar@x.example", namesake},
		{"the first of a name with its initial", "kumar.s", "suresh.kumar2@x.example", namesake},
		{"surname of two words", "Giulia De Luca", "giulia.deluca@x.example", same},
		{"surname of three words", "Mareike von der Heide", "mareike.von-der-heide@x.example", same},
		{"first name of two words", "Min Jun Kim", "minjun.kim@x.example", same},
		{"initials of a double first name", "mjkim", "Min-Jun Kim", likely},
		{"initials of a double surname", "huongnt", "Huong Nguyen Thi", likely},
		{"domains of one forest", `EMEA\jdoe`, "jdoe@na.corp.example", doubtful},
		{"domains of one forest, in full", `emea.corp.example\jdoe`, "jdoe@na.corp.example", doubtful},
		{"domain and its DNS name", `NA\jdoe`, "jdoe@na.corp.example", likely},
		{"domain and the organisation's suffix", `CORP\jdoe`, "jdoe@contoso.co.uk", likely},
		{"domain and the tenant's suffix", `CORP\jdoe`, "jdoe@contoso.onmicrosoft.com", likely},
		{"suffixes of two tenants", "jdoe@fabrikam.onmicrosoft.com", "jdoe@contoso.onmicrosoft.com", doubtful},
		{"child domain and the forest's suffix", `na.corp.example\jdoe`, "jdoe@corp.example", likely},
		{"initial behind the name", "thorne_j", "jonas.thorne@x.example", likely},
		{"initial behind the name, another separator", "thorne-j", "Jonas Thorne", likely},
		{"initial in front of the name", "j-thorne", "jonas.thorne@x.example", namesake},
		{"initial behind the name, another person", "thorne_j", "karl.thorne@x.example", namesake},
		{"an administrator's letter beside the initial", "a-jthorne", "jonas.thorne@x.example", namesake},
		{"an administrator's letter behind the initial", "jthorne_a", "jthorne@x.example", namesake},
		{"middle initial and another surname", "James B. Wilson", "james.brown@x.example", stranger},
		{"title and initial", "Dr. J. Thorne", "jonas.thorne@x.example", likely},
		{"last name of two words first, and an initial", "van der Berg, J.", "jan.berg@x.example", likely},
		{"last name first, middle initial and another surname", "Wilson, James B.", "james.brown@x.example", stranger},
		{"an administrator's letter behind a name", "thorne_a", "anna.thorne@x.example", namesake},
		{"an administrator's letter before a name", "t-thorne", "tom.thorne@x.example", namesake},
		{"middle initial and the surname", "James B. Wilson", "james.wilson@x.example", likely},
		{"first initial and one of two surnames", "J. Brown Smith", "james.smith@x.example", likely},
		{"GUID says nothing", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "jonas.thorne@x.example", incomparable},
		{"two GUIDs", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "{3F2504E0-4F89-11D3-9A0C-0305E82C3302}", stranger},
		{"employee number and an administrator's", "104233", "a104233@x.example", stranger},
		{"employee number with and without its zeros", "00104233", "104233@x.example", likely},
		{"employee numbers of two kinds", "E104233", "U104233", stranger},
		{"surname with its particles in one word", "heidpe", "peter.vonderheide@x.example", likely},
		{"nickname", "Bob Stone", "robert.stone@x.example", doubtful},
		{"two nicknames", "Bob Stone", "rob.stone@x.example", doubtful},
		{"nickname and name in two addresses", "dan.lee@x.example", "daniel.lee@x.example", stranger},
		{"nickname for a surname", "Peter Jack", "peter.john@x.example", stranger},
		{"nickname of another surname", "Bob Stone", "robert.steel@x.example", stranger},
		{"another spelling of the first name", "Steven Stone", "stephen.stone@x.example", doubtful},
		{"a surname's rest behind its particle", "rosa", "mia.dellarosa@x.example", stranger},
		{"initials of which the address has one", "nguyenvd", "duc.nguyen@x.example", stranger},
		{"service account and person", "svc_backup", "jonas.thorne@x.example", stranger},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDirectory(org)
			a, b := parseName(tt.a), parseName(tt.b)
			if got := d.kin(a, b); got != tt.want {
				t.Errorf("kin(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
			}
			if got := d.kin(b, a); got != tt.want {
				t.Errorf("kin(%q, %q) = %d, want %d: it must not depend on the order", tt.b, tt.a, got, tt.want)
			}
		})
	}
}

func TestProseMentions(t *testing.T) {
	const text = `Mara Winter (Head of "R\&D"), from WS-0412.alpine.example, with o'brien.n@alpine.example and ALPINE\jdoe's help, ` +
		`copied 17 files.\r\nMITRE Technique used Brute Force (T1110)`
	p := readProse(text, formats.DefenderForIdentity)
	for name, want := range map[string]bool{
		"mara.winter@alpine.example": true, "Mara Winter": true, "Winter, Mara": true, "jdoe": true, "o'brien.n@alpine.example": true,
		"mara.summer@alpine.example": false, "doe": false, "brute.force@alpine.example": false,
	} {
		if got := (scale{}).mentions(p, parseName(name)); got != want {
			t.Errorf("mentions(%q) = %v, want %v", name, got, want)
		}
	}
	for host, want := range map[string]bool{
		"ws-0412": true, "WS-0412$": true, "ws-0412.alpine.example": true, "ws-041": false, "t1110": false, "ws-0412.lab.alpine.example": false,
	} {
		if got, _ := p.names(directory{}, parseDevice(host)); got != want {
			t.Errorf("names(%q) = %v, want %v", host, got, want)
		}
	}
}

func FuzzKin(f *testing.F) {
	for _, s := range []string{"jdoe", `A\b`, "@", "#ext#@", "x(y@z)", "Ü", ", ,", "''", "a.b.c.d.e.f.g@h", "ь ъ ж", "Ан Ю", "ψ.ου"} {
		f.Add(s, "jane.doe@x.example")
		f.Add(s, "j a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 {
			return
		}
		d := newDirectory(config.Organisation{})
		x, y := parseName(a), parseName(b)
		if d.kin(x, y) != d.kin(y, x) {
			t.Errorf("kin(%q, %q) depends on the order", a, b)
		}
	})
}
