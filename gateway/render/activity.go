package render

import (
	"strings"

	"github.com/sluice-siem/sluice/formats"
)

// verb is what somebody did in an activity, in the words that formats have classes for.
type verb string

// The verbs.
const (
	did       verb = "" // something else, or nobody can tell
	login     verb = "login"
	logout    verb = "logout"
	create    verb = "create"
	read      verb = "read"
	change    verb = "update"
	remove    verb = "delete"
	upload    verb = "upload"
	download  verb = "download"
	rename    verb = "rename"
	duplicate verb = "copy"
	move      verb = "move"
	restore   verb = "restore"
	share     verb = "share"
	unshare   verb = "unshare"
	execute   verb = "execute"
	enable    verb = "enable"
	disable   verb = "disable"
)

// deed is an activity in short.
type deed struct {
	verb   verb
	file   bool // done to a file or folder
	user   bool // done to an account
	failed bool
}

// did reads the class of an activity of Cloud App Security, EVENT_CATEGORY_… with the words of what was
// done, such as EVENT_CATEGORY_DOWNLOAD_FILE. There is no list of them all, so the words are read.
func (l *line) did() deed {
	words, ok := strings.CutPrefix(l.Class, "EVENT_CATEGORY_")
	if !ok || l.Kind != formats.Activity {
		return deed{}
	}
	var d deed
	for word := range strings.SplitSeq(words, "_") {
		switch word {
		case "FAILED", "FAILURE", "UNSUCCESSFUL":
			d.failed = true
		case "FILE", "FILES", "FOLDER", "DOCUMENT":
			d.file = true
		case "USER", "USERS", "ACCOUNT":
			d.user = true
		default:
			if v := verbOf(word); v != did && d.verb == did {
				d.verb = v
			}
		}
	}
	return d
}

func verbOf(word string) verb {
	switch word {
	case "LOGIN", "LOGON", "SIGNIN":
		return login
	case "LOGOUT", "LOGOFF", "SIGNOUT":
		return logout
	case "ADD", "CREATE", "INVITE", "NEW":
		return create
	case "ACCESS", "OPEN", "PREVIEW", "READ", "VIEW":
		return read
	case "CHANGE", "EDIT", "MODIFY", "RESET", "SET", "UPDATE":
		return change
	case "DELETE", "REMOVE", "TRASH":
		return remove
	case "UPLOAD":
		return upload
	case "DOWNLOAD":
		return download
	case "RENAME":
		return rename
	case "COPY":
		return duplicate
	case "MOVE":
		return move
	case "RESTORE":
		return restore
	case "SHARE":
		return share
	case "UNSHARE":
		return unshare
	case "EXECUTE", "RUN":
		return execute
	case "ACTIVATE", "ENABLE":
		return enable
	case "DEACTIVATE", "DISABLE":
		return disable
	}
	return did
}

// fileName is the file or folder that the text of an activity names, as in "Download file: file
// plan.xlsx".
func (l *line) fileName() (name string, folder bool) {
	_, object, ok := strings.Cut(l.Message, ": ")
	if !ok {
		return "", false
	}
	if name, ok := strings.CutPrefix(object, "file "); ok {
		return name, false
	}
	name, ok = strings.CutPrefix(object, "folder ")
	if !ok {
		return "", false
	}
	return name, true
}
