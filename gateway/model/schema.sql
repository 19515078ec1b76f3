-- The model's tables. Times are milliseconds since 1970, UTC; a text that filters ask for stands once in
-- terms, and elsewhere as its number, so that contains and starts with look through a small dictionary.
-- A file with another PRAGMA user_version is rebuilt from the stream.

CREATE TABLE place ( -- one row: what of the stream is in here
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  sequence INTEGER NOT NULL, -- of the last message that was folded
  hash     BLOB NOT NULL,    -- of that message
  time     INTEGER NOT NULL  -- greatest time of an entry
);

CREATE TABLE gaps ( -- messages of the stream that were purged or lost before they could be folded
  first   INTEGER PRIMARY KEY,
  last    INTEGER NOT NULL,
  noticed INTEGER NOT NULL
);

CREATE TABLE terms (
  n      INTEGER PRIMARY KEY,
  field  INTEGER NOT NULL,           -- of which field, as in terms.go
  value  TEXT NOT NULL,              -- as it was first written
  folded TEXT NOT NULL,              -- as it is compared
  count  INTEGER NOT NULL DEFAULT 0, -- lines of the log that have it; only of user agents
  address BLOB,                      -- of an IP address: 16 bytes, so that a network is a range; NULL for what is none
  UNIQUE (field, folded)
);
CREATE INDEX terms_address ON terms (address) WHERE address IS NOT NULL;

CREATE TABLE combinations ( -- of what lines of the log have one of: a few hundred are those of nearly all
  n       INTEGER PRIMARY KEY,
  service INTEGER NOT NULL, app INTEGER NOT NULL, type INTEGER NOT NULL, action INTEGER NOT NULL,
  title   INTEGER NOT NULL, input INTEGER NOT NULL, -- terms; that of the empty value where it isn't set
  count   INTEGER NOT NULL DEFAULT 0,               -- lines that have it
  UNIQUE (service, app, type, action, title, input)
);

CREATE TABLE persons ( -- the users; all but id, tags and into_n follows from their names and the directory
  n          INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE, -- of the first spelling, for ever
  display    TEXT NOT NULL DEFAULT '', -- the best spelling to show
  folded     TEXT NOT NULL DEFAULT '', -- that, as filters compare it
  upn        TEXT,
  upn_folded TEXT,
  department TEXT,
  peers      TEXT, -- the department as it is compared: who has the same are peers
  title      TEXT,
  tags       TEXT NOT NULL DEFAULT '',    -- set by hand: ",admin,watched,"
  sensitive  INTEGER NOT NULL DEFAULT 0,  -- the directory says so
  first      INTEGER NOT NULL DEFAULT 0,
  last       INTEGER NOT NULL DEFAULT 0,
  into_n     INTEGER -- joined into that one
);
CREATE INDEX persons_folded ON persons (folded, n);
CREATE INDEX persons_upn ON persons (upn_folded) WHERE upn_folded IS NOT NULL;
CREATE INDEX persons_last ON persons (last, n);
CREATE INDEX persons_peers ON persons (peers) WHERE peers IS NOT NULL;

CREATE TABLE names ( -- the spellings of people
  n        INTEGER PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE, -- of the user that it is the first name of, or would be
  spelling TEXT NOT NULL,        -- as it was first written
  folded   TEXT NOT NULL UNIQUE, -- as filters compare it
  domain   TEXT,                 -- folded
  key      TEXT NOT NULL,        -- what it says by itself, as dedup reads it
  certain  INTEGER NOT NULL,     -- 1 where that is an account, 0 where it may be anybody's of that name
  letters  TEXT NOT NULL,        -- equal for all that may be alike
  identity TEXT NOT NULL,        -- key, or that of the account which it is known to mean: names with the same are one user's
  person   INTEGER NOT NULL,     -- persons.n
  by_hand  INTEGER NOT NULL,     -- 1 joined, 2 split off by an operator: nothing else moves it
  why      TEXT NOT NULL         -- it is this user's
);
CREATE INDEX names_key ON names (key);
CREATE INDEX names_letters ON names (letters, n) WHERE certain = 1;
CREATE INDEX names_meant ON names (letters, key) WHERE certain = 0 AND identity <> key;
CREATE INDEX names_identity ON names (identity);
CREATE INDEX names_person ON names (person);
CREATE INDEX names_domain ON names (domain) WHERE domain IS NOT NULL;

CREATE TABLE name_seen ( -- when and where
  name    INTEGER NOT NULL,
  service TEXT NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  PRIMARY KEY (name, service)
) WITHOUT ROWID;

CREATE TABLE people_log ( -- what decides who is who, in order, to decide it anew when the configuration changes
  n     INTEGER PRIMARY KEY,
  after INTEGER NOT NULL, -- names.n of the last name that was there
  key   TEXT NOT NULL,    -- of the entry
  alert TEXT NOT NULL,    -- that met or parted speaks of
  what  TEXT NOT NULL,    -- met, parted, or an act's verb
  data  TEXT NOT NULL     -- JSON
);
CREATE INDEX people_log_key ON people_log (key);
CREATE INDEX people_log_alert ON people_log (alert) WHERE alert <> '';

CREATE TABLE name_claims ( -- which account a name was seen to mean; follows from people_log
  name    INTEGER NOT NULL,
  account INTEGER NOT NULL, -- names.n
  key     TEXT NOT NULL,    -- of the entry
  alert   TEXT NOT NULL,
  told    INTEGER NOT NULL, -- 1 where a service said so itself
  PRIMARY KEY (name, account, key)
) WITHOUT ROWID;
CREATE INDEX name_claims_key ON name_claims (key);
CREATE INDEX name_claims_alert ON name_claims (alert) WHERE alert <> '';

CREATE TABLE people_config ( -- one row: by what configuration it was decided
  one          INTEGER PRIMARY KEY CHECK (one = 1),
  organisation BLOB NOT NULL, -- digest of the domains
  directory    BLOB NOT NULL  -- of the directory's people
);

CREATE TABLE risk_profiles ( -- what is usual for users and counts in their score, as package risk writes it
  user TEXT PRIMARY KEY, -- persons.id
  data BLOB NOT NULL
);

CREATE TABLE risk_told ( -- what was told of users since their profiles were written, in order
  n    INTEGER PRIMARY KEY,
  data BLOB NOT NULL -- CBOR
);

CREATE TABLE risk_state ( -- one row
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  day     INTEGER NOT NULL, -- of the fold's time: the days before are in score_days
  watched TEXT NOT NULL,    -- risk.watched, by which it was decided who is
  world   BLOB NOT NULL     -- what is counted over all users, written with the profiles
);

CREATE TABLE scores ( -- of the users that have one, as of the last transaction or the beginning of today
  user    TEXT PRIMARY KEY, -- persons.id
  points  INTEGER NOT NULL, -- hundredths
  bounded REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX scores_points ON scores (points);

CREATE TABLE score_days ( -- at the end of each day
  user       TEXT NOT NULL,
  day        INTEGER NOT NULL, -- since 1970
  points     INTEGER NOT NULL,
  bounded    REAL NOT NULL,
  percentile REAL NOT NULL,
  PRIMARY KEY (user, day)
) WITHOUT ROWID;
CREATE INDEX score_days_day ON score_days (day);

CREATE TABLE score_resets (
  n    INTEGER PRIMARY KEY,
  user TEXT NOT NULL,
  time INTEGER NOT NULL,
  act  TEXT NOT NULL, -- of the entry
  who  TEXT NOT NULL,
  why  TEXT NOT NULL
);
CREATE INDEX score_resets_user ON score_resets (user, n);

CREATE TABLE directory ( -- the directory file
  identity   TEXT PRIMARY KEY,
  upn        TEXT NOT NULL,
  display    TEXT NOT NULL,
  department TEXT NOT NULL,
  title      TEXT NOT NULL,
  manager    TEXT NOT NULL,
  sensitive  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE directory_names ( -- what its people are called
  name     TEXT PRIMARY KEY, -- as directory.go writes it
  identity TEXT NOT NULL     -- empty where several are called so
) WITHOUT ROWID;

CREATE TABLE directory_groups ( -- departments and groups
  folded   TEXT NOT NULL,
  identity TEXT NOT NULL,
  name     TEXT NOT NULL,
  PRIMARY KEY (folded, identity)
) WITHOUT ROWID;
CREATE INDEX directory_groups_identity ON directory_groups (identity);

CREATE TABLE alerts (
  n        INTEGER PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL, -- grows with every change
  closed   INTEGER NOT NULL, -- 1 where the service it is managed in has it closed
  severity INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  drift    INTEGER,          -- since when it is closed in one service and open in another
  seen     INTEGER NOT NULL, -- 1 where it was marked read
  folded   INTEGER NOT NULL, -- time of the last entry that changed it, for the retention
  data     BLOB NOT NULL     -- the record, CBOR
);
CREATE INDEX alerts_last ON alerts (last, n);
CREATE INDEX alerts_first ON alerts (first, n);
CREATE INDEX alerts_closed ON alerts (closed, last, n);
CREATE INDEX alerts_severity ON alerts (severity, last, n);
CREATE INDEX alerts_drift ON alerts (last, n) WHERE drift IS NOT NULL;
CREATE INDEX alerts_seen ON alerts (seen, last, n);
CREATE INDEX alerts_folded ON alerts (folded);

CREATE TABLE alert_ids ( -- every ID by which an alert is known: what became part of another one answers to its own too
  id    TEXT PRIMARY KEY,
  alert INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alert_ids_alert ON alert_ids (alert);

CREATE TABLE alert_streamed ( -- of a limited model: every ID by which the stream knows an alert
  id         TEXT PRIMARY KEY,
  alert      INTEGER NOT NULL,
  managed_in TEXT NOT NULL -- by the stream
) WITHOUT ROWID;
CREATE INDEX alert_streamed_alert ON alert_streamed (alert);

CREATE TABLE alert_notices ( -- each service's first notification of an alert, and the newest ones
  n       INTEGER PRIMARY KEY,
  alert   INTEGER NOT NULL,
  service TEXT NOT NULL,
  key     TEXT NOT NULL,    -- of the entry
  size    INTEGER NOT NULL, -- bytes of data
  data    BLOB NOT NULL     -- CBOR
);
CREATE INDEX alert_notices_alert ON alert_notices (alert, n);
CREATE INDEX alert_notices_key ON alert_notices (key);

CREATE TABLE alert_terms ( -- every text of an alert; term 0 where a field isn't set
  field INTEGER NOT NULL,           -- as in terms.go; negative for another value by which the alert is found, and not counted under
  term  INTEGER NOT NULL,
  alert INTEGER NOT NULL,
  PRIMARY KEY (field, term, alert)
) WITHOUT ROWID;
CREATE INDEX alert_terms_alert ON alert_terms (alert);

CREATE TABLE alert_names (
  name  INTEGER NOT NULL,
  alert INTEGER NOT NULL,
  PRIMARY KEY (name, alert)
) WITHOUT ROWID;
CREATE INDEX alert_names_alert ON alert_names (alert);

CREATE TABLE alert_history (
  n     INTEGER PRIMARY KEY,
  alert INTEGER NOT NULL,
  time  INTEGER NOT NULL,
  key   TEXT NOT NULL, -- of the entry
  data  BLOB NOT NULL  -- who, what, and how it was before; CBOR
);
CREATE INDEX alert_history_alert ON alert_history (alert, n);
CREATE INDEX alert_history_key ON alert_history (key);

CREATE TABLE activities ( -- the log; alerts are in it too
  n        INTEGER PRIMARY KEY, -- the time of it, and what tells it from others of that millisecond, see number
  combination INTEGER NOT NULL,
  agent    INTEGER NOT NULL, -- a term
  ip       TEXT NOT NULL, device TEXT NOT NULL, object TEXT NOT NULL, policy TEXT NOT NULL, -- JSON lists of terms
  name     INTEGER NOT NULL, -- names.n of who did it; 0 where nobody is named
  alert    INTEGER NOT NULL, -- alerts.n of what it belongs to; 0 for none
  kind     INTEGER NOT NULL, -- 1 for a line that is an alert
  severity INTEGER NOT NULL,
  failed   INTEGER NOT NULL,
  admin    INTEGER NOT NULL,
  id       TEXT NOT NULL,    -- the service's, folded
  data     BLOB NOT NULL     -- the record, CBOR
);

CREATE TABLE index_changes ( -- one row: the last transaction that changed lines, for the index of the log, which is in a file of its own
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  id   BLOB NOT NULL,    -- of these tables: the index has it too
  n    INTEGER NOT NULL, -- number of the transaction
  data BLOB NOT NULL     -- what it changed; CBOR
);
INSERT INTO index_changes VALUES (1, randomblob(16), 0, x'');

CREATE VIRTUAL TABLE alert_text USING fts5 (text, content = '', contentless_delete = 1, tokenize = "ascii tokenchars '#'");

CREATE TABLE audit ( -- what operators did, or tried; nothing changes a row
  n              INTEGER PRIMARY KEY,
  key            TEXT NOT NULL, -- of the entry
  time           INTEGER NOT NULL,
  who            TEXT NOT NULL,
  who_folded     TEXT NOT NULL,
  act            TEXT NOT NULL,
  details        TEXT NOT NULL, -- JSON
  details_folded TEXT NOT NULL,
  scope          TEXT NOT NULL  -- of who did it; empty where nothing limits it
);
CREATE INDEX audit_time ON audit (time);

CREATE TABLE documents ( -- what operators keep: saved queries and activity policies
  kind     TEXT NOT NULL, -- query, policy
  id       TEXT NOT NULL,
  owner    TEXT NOT NULL,
  revision INTEGER NOT NULL,
  data     TEXT NOT NULL, -- JSON
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE policy_hits ( -- what counts towards a threshold
  policy TEXT NOT NULL,
  name   INTEGER NOT NULL, -- names.n of who did it
  time   INTEGER NOT NULL,
  key    TEXT NOT NULL,    -- of the activity
  PRIMARY KEY (policy, name, time, key)
) WITHOUT ROWID;

CREATE TABLE policy_seen ( -- since when people do things, and when they did last, to the hour
  name  INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL
);

CREATE TABLE policy_past ( -- what is usual: values that people had, or days with what they did on each
  policy TEXT NOT NULL,
  name   INTEGER NOT NULL,
  value  TEXT NOT NULL,    -- or the day, since 1970
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL, -- to the hour
  count  INTEGER NOT NULL, -- of a day
  PRIMARY KEY (policy, name, value)
) WITHOUT ROWID;
CREATE INDEX policy_past_value ON policy_past (policy, value, first);
CREATE INDEX policy_past_last ON policy_past (last);

CREATE TABLE policy_usual ( -- what is usual among somebody's peers, as it was seen first on a day
  policy TEXT NOT NULL,
  peers  TEXT NOT NULL, -- department; empty for everybody
  day    INTEGER NOT NULL,
  most   INTEGER NOT NULL,
  PRIMARY KEY (policy, peers, day)
) WITHOUT ROWID;

CREATE TABLE raised ( -- alerts of our own: wanted, and on record in the stream once done
  id     TEXT PRIMARY KEY, -- of policy, user and the start of the window
  policy TEXT NOT NULL,
  user   TEXT NOT NULL,
  start  INTEGER NOT NULL,
  noted  INTEGER NOT NULL, -- the fold's time
  done   INTEGER NOT NULL,
  data   BLOB NOT NULL     -- the notification, CBOR
) WITHOUT ROWID;
CREATE INDEX raised_wanted ON raised (id) WHERE done = 0;
CREATE INDEX raised_policy ON raised (policy, user, start);
CREATE INDEX raised_noted ON raised (policy, noted);
