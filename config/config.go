// Package config is the documented shape of sluice.yaml: its keys, their defaults, and every problem
// of a file at once, with the line it stands on.
//
// # Decisions
//
// The file is read once, as a tree of YAML nodes that is held against the struct: this keeps line
// numbers, which a map loses, and reads each value as the type of its key, so that YAML's guesses (010
// is 8) don't count. koanf lays the values over those of [Default]; a list replaces the default one.
// A problem that only follows from another one, such as a key missing because it is misspelt, is not
// reported. Durations are Go's with whole days in front (1d12h), sizes are powers of 1024 (64KiB).
package config

import (
	"time"

	"github.com/sluice-siem/sluice/config/filter"
)

// Config is the whole of sluice.yaml. sluice.example.yaml beside this file documents every key.
type Config struct {
	DataDir      string        `koanf:"data_dir"`
	Inputs       []Input       `koanf:"inputs"`
	Organisation Organisation  `koanf:"organisation"`
	Services     Services      `koanf:"services"`
	Policy       Policy        `koanf:"policy"`
	Dedup        Dedup         `koanf:"dedup"`
	Risk         Risk          `koanf:"risk"`
	Silence      Silence       `koanf:"silence"`
	Closure      Closure       `koanf:"closure"`
	UndoWindow   time.Duration `koanf:"undo_window"` // how long what was done to an alert can be taken back
	Targets      []Target      `koanf:"targets"`
	Stream       Stream        `koanf:"stream"`
	Model        Model         `koanf:"model"`
	HTTP         HTTP          `koanf:"http"`
	Metrics      Metrics       `koanf:"metrics"`
	Access       Access        `koanf:"access"`
}

// Input is a way in. Type is syslog, relp or http; Listen is udp://, tcp:// or tls:// with host and port.
type Input struct {
	Name           string        `koanf:"name"`
	Type           string        `koanf:"type"`
	Listen         string        `koanf:"listen"`
	TLS            TLS           `koanf:"tls"`
	MaxMessage     Size          `koanf:"max_message"`
	MaxConnections int           `koanf:"max_connections"`
	IdleTimeout    time.Duration `koanf:"idle_timeout"`
	Speakers       []Speaker     `koanf:"speakers"`
	MaxBody        Size          `koanf:"max_body"` // http
	Tokens         []Token       `koanf:"tokens"`   // http: the senders', any of which will do
}

// Token is what a sender shows to be let in. The log and the speakers know it by its name.
type Token struct {
	Name  string `koanf:"name"`
	Token Secret `koanf:"token"`
}

// Speaker says that peers for which every key that is set fits may speak for the services. An input
// with speakers believes nobody else.
type Speaker struct {
	Services     []string `koanf:"services"`
	Networks     []string `koanf:"networks"`     // of the peer's address
	Certificates []string `koanf:"certificates"` // patterns for a name in the peer's verified certificate
	Tokens       []string `koanf:"tokens"`       // names of tokens
}

// TLS names PEM files. They are read again when they change. For an input ClientCA is the authority
// of the senders' certificates and ClientAuth is off, optional or required; for a target CA is the
// authority of the SIEM's certificate (the system's where empty) and ServerName overrides the host.
type TLS struct {
	Cert       string `koanf:"cert"`
	Key        string `koanf:"key"`
	ClientCA   string `koanf:"client_ca"`
	ClientAuth string `koanf:"client_auth"`
	CA         string `koanf:"ca"`
	ServerName string `koanf:"server_name"`
}

// Organisation is what an analyst knows about the names in use. DirectoryFile, in CSV or JSON, says who the
// people are, see [directory]; it is read again when it changes. NetworksFile says where addresses are, see
// [networks].
type Organisation struct {
	Domains       []Domain `koanf:"domains"`
	DirectoryFile string   `koanf:"directory_file"`
	NetworksFile  string   `koanf:"networks_file"` // CSV: cidr, country, tag
	GeoIPFile     string   `koanf:"geoip_file"`    // mmdb: the country of addresses of which the networks file tells none
}

// Risk is how the users' investigation priority is weighed.
type Risk struct {
	Learning time.Duration `koanf:"learning"` // from a user's first activity, in which activities are learnt and not scored
	Impact   Impact        `koanf:"impact"`
	Watched  []string      `koanf:"watched"` // users in any spelling
}

// Impact is what an alert weighs more, in percent, for users whom an attack would hurt more. The largest that
// fits counts.
type Impact struct {
	Sensitive int `koanf:"sensitive"`
	Admin     int `koanf:"admin"`
	Watched   int `koanf:"watched"`
}

// Domain is one Active Directory domain with the spellings it goes by.
type Domain struct {
	NetBIOS     string   `koanf:"netbios"`
	DNS         string   `koanf:"dns"`
	UPNSuffixes []string `koanf:"upn_suffixes"`
}

// Services says what is licensed and connected.
type Services struct {
	DefenderForIdentity Service `koanf:"defender_for_identity"`
	CloudAppSecurity    Service `koanf:"cloud_app_security"`
	IdentityProtection  Service `koanf:"identity_protection"`
}

// Service is one service. Shows names the services whose alerts it shows too.
type Service struct {
	Enabled bool     `koanf:"enabled"`
	Shows   []string `koanf:"shows"`
}

// Policy is what happens to notifications where no rule says otherwise.
type Policy struct {
	Settings `koanf:",squash"`
	Rules    []Rule `koanf:"rules"`
}

// Settings are the keys that policy and each of its rules may set. In a rule the zero value means
// that the rule leaves the key alone; Hold is a pointer because zero is a hold too.
type Settings struct {
	Mode       string         `koanf:"mode"`       // enforce | shadow
	ManageIn   []string       `koanf:"manage_in"`  // one name or an order
	Hold       *time.Duration `koanf:"hold"`       //
	LateTwin   string         `koanf:"late_twin"`  // link | suppress
	Updates    string         `koanf:"updates"`    // forward | suppress
	Health     string         `koanf:"health"`     // forward | drop
	Activities string         `koanf:"activities"` // forward | drop
	Unknown    string         `koanf:"unknown"`    // forward | drop
}

// Rule sets keys for the notifications that fit When. Line is where it stands in the file.
type Rule struct {
	Name     string `koanf:"name"`
	When     When   `koanf:"when"`
	Settings `koanf:",squash"`
	Line     int `koanf:"-"`
}

// When matches: every key that is set must fit, and a key fits when any of its patterns does; user_score is
// a comparison. A pattern may hold * for any run of characters; letter case does not count. In the file it may be one
// text in the filter language instead. [When.Conditions] is both.
type When struct {
	Service  []string `koanf:"service"`  // who says it; unknown where nobody can tell
	Kind     []string `koanf:"kind"`     // alert, activity, health, unknown
	Type     []string `koanf:"type"`     // detection type: the catalogue's, the service's own or the CEF class
	Title    []string `koanf:"title"`    //
	Severity []string `koanf:"severity"` // informational, low, medium, high, unknown
	User     []string `koanf:"user"`     // an account in any spelling seen
	Host     []string `koanf:"host"`     // a device in any spelling seen
	App      []string `koanf:"app"`      // application

	UserScore string `koanf:"user_score"` // of targets: the investigation priority of an account, such as >=80

	Filter filter.Filter `koanf:"-"` // the text
}

// Dedup bounds what recognition may take for one alert and how long it remembers.
type Dedup struct {
	Window    time.Duration `koanf:"window"`     // how far apart two services may notify the same alert
	Skew      time.Duration `koanf:"skew"`       // between the two event times
	RaiseSkew time.Duration `koanf:"raise_skew"` // where one of them may be the time the alert was raised
	Remember  Remember      `koanf:"remember"`   //
}

// Remember is how long a notification is known again.
type Remember struct {
	Alerts     time.Duration `koanf:"alerts"`
	Activities time.Duration `koanf:"activities"`
}

// Silence says for each service how long it may be quiet before it is called silent, and whether the
// targets get an event of it.
type Silence struct {
	DefenderForIdentity Quiet `koanf:"defender_for_identity"`
	CloudAppSecurity    Quiet `koanf:"cloud_app_security"`
	IdentityProtection  Quiet `koanf:"identity_protection"`
	Event               bool  `koanf:"event"`
}

// Closure says for each service in which others an alert is closed too when it is closed there.
type Closure struct {
	DefenderForIdentity []string `koanf:"defender_for_identity"`
	CloudAppSecurity    []string `koanf:"cloud_app_security"`
	IdentityProtection  []string `koanf:"identity_protection"`
}

// Stream is the one durable stream on disk.
type Stream struct {
	Retention  time.Duration `koanf:"retention"`
	MaxDisk    Size          `koanf:"max_disk"`
	Durability string        `koanf:"durability"` // synced | process
}

// Model bounds what is kept of alerts, activities and users to be asked for.
type Model struct {
	Enabled   bool           `koanf:"enabled"` // or nothing is kept, and the API has nothing to show
	Retention ModelRetention `koanf:"retention"`
	MaxDisk   Size           `koanf:"max_disk"` // of its file; the oldest activities make room
}

// ModelRetention is for how long: activities from when they happened, alerts that are closed from when something
// was last heard of them.
type ModelRetention struct {
	Activities time.Duration `koanf:"activities"`
	Alerts     time.Duration `koanf:"alerts"`
}

// HTTP is where the API and the portal are; an empty address is nowhere. What passwords and sessions travel over is
// encrypted: by TLS here or by one of the proxies, or else it stays on loopback.
type HTTP struct {
	Listen  string   `koanf:"listen"`
	TLS     HTTPS    `koanf:"tls"`
	Proxies []string `koanf:"proxies"` // networks of proxies that speak TLS and say for whom: X-Forwarded-For and -Proto
}

// HTTPS names PEM files, read again when they change.
type HTTPS struct {
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
}

// Metrics is an address to listen on; an empty one listens nowhere.
type Metrics struct {
	Listen string `koanf:"listen"`
}
