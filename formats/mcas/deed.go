package mcas

import "strings"

// Verb is what somebody did in an activity, in one word.
type Verb string

// The verbs.
const (
	Did       Verb = "" // something else, or nobody can tell
	Login     Verb = "login"
	Logout    Verb = "logout"
	Create    Verb = "create"
	Read      Verb = "read"
	Change    Verb = "update"
	Remove    Verb = "delete"
	Upload    Verb = "upload"
	Download  Verb = "download"
	Rename    Verb = "rename"
	Duplicate Verb = "copy"
	Move      Verb = "move"
	Restore   Verb = "restore"
	Share     Verb = "share"
	Unshare   Verb = "unshare"
	Execute   Verb = "execute"
	Enable    Verb = "enable"
	Disable   Verb = "disable"
)

// Deed is an activity in short.
type Deed struct {
	Verb   Verb
	File   bool // done to a file or folder
	User   bool // done to an account
	Failed bool
	Admin  bool // only an administrator does that
}

// DeedOf reads the class of an activity, EVENT_CATEGORY_… with the words of what was done, such as
// EVENT_CATEGORY_DOWNLOAD_FILE. There is no list of them all, so the words are read.
//
// Whether somebody is an administrator the service doesn't tell its agent, so what counts is what was done:
// accounts made, changed, enabled, disabled or deleted, and changes of what decides who may do what, such as
// roles and policies. Files are shared by everybody, changing a password is a user's own business where
// resetting one isn't, and commands that are run are mostly machines' (SAMR queries of Active Directory).
func DeedOf(class string) Deed {
	words, ok := strings.CutPrefix(class, "EVENT_CATEGORY_")
	if !ok {
		return Deed{}
	}
	var d Deed
	power, password, reset := false, false, false
	for word := range strings.SplitSeq(words, "_") {
		switch word {
		case "FAILED", "FAILURE", "UNSUCCESSFUL":
			d.Failed = true
		case "FILE", "FILES", "FOLDER", "DOCUMENT":
			d.File = true
		case "USER", "USERS", "ACCOUNT":
			d.User = true
		case "ADMIN", "ROLE", "ROLES", "PRIVILEGE", "PRIVILEGES", "PERMISSION", "PERMISSIONS", "GROUP", "GROUPS", "MEMBER", "MEMBERS",
			"POLICY", "POLICIES", "SETTING", "SETTINGS", "CONFIGURATION", "LICENSE", "LICENSES", "DOMAIN", "IMPERSONATE", "IMPERSONATION":
			power = true
		case "PASSWORD":
			password = true
		default:
			reset = reset || word == "RESET"
			if v := verbOf(word); v != Did && d.Verb == Did {
				d.Verb = v
			}
		}
	}
	switch d.Verb {
	case Login, Logout, Read, Download, Upload, Share, Unshare, Execute:
	case Did:
		d.Admin = power && !d.File
	default:
		d.Admin = !d.File && (power || password && reset || d.User && !password)
	}
	return d
}

func verbOf(word string) Verb {
	switch word {
	case "LOGIN", "LOGON", "SIGNIN":
		return Login
	case "LOGOUT", "LOGOFF", "SIGNOUT":
		return Logout
	case "ADD", "CREATE", "INVITE", "NEW":
		return Create
	case "ACCESS", "OPEN", "PREVIEW", "READ", "VIEW":
		return Read
	case "CHANGE", "EDIT", "MODIFY", "RESET", "SET", "UPDATE":
		return Change
	case "DELETE", "REMOVE", "TRASH":
		return Remove
	case "UPLOAD":
		return Upload
	case "DOWNLOAD":
		return Download
	case "RENAME":
		return Rename
	case "COPY":
		return Duplicate
	case "MOVE":
		return Move
	case "RESTORE":
		return Restore
	case "SHARE":
		return Share
	case "UNSHARE":
		return Unshare
	case "EXECUTE", "RUN":
		return Execute
	case "ACTIVATE", "ENABLE":
		return Enable
	case "DEACTIVATE", "DISABLE":
		return Disable
	}
	return Did
}
