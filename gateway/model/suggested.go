package model

import (
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// suggested are the queries that Microsoft suggests for the activity log of Cloud App Security, and some of the queue.
func suggested() []SavedQuery {
	query := func(id, of, name, filter string) SavedQuery {
		return SavedQuery{ID: "suggested-" + id, Revision: 1, Name: name, Of: of, Filter: filter, Owner: string(formats.Sluice), Shared: true, Built: true}
	}
	return []SavedQuery{
		query("admin-activities", "activities", "Admin activities", "administrative = yes"),
		query("downloads", "activities", "Download activities", "action = download"),
		query("failed-log-ins", "activities", "Failed log-in", "action = login and failed = yes"),
		query("successful-log-ins", "activities", "Successful log-in", "action = login and failed = no"),
		query("impersonation", "activities", "Impersonation activities", "type contains impersonat"),
		query("password-changes", "activities", "Password changes and reset requests", "type contains password"),
		query("sharing", "activities", "Sharing activities", "action = share, unshare"),
		// PROFILE has a FILE in it too.
		query("files-and-folders", "activities", "File and folder activities",
			"type matches *_FILE, *_FILE_*, *_FILES, *_FILES_*, *_FOLDER, *_FOLDER_*, *_FOLDERS, *_DOCUMENT, *_DOCUMENT_*"),
		query("open-alerts", "alerts", "Open alerts", "status = open"),
		query("open-high", "alerts", "Open alerts of high severity", "status = open and severity = high"),
		query("unread", "alerts", "Unread alerts", "read = no"),
		query("unassigned", "alerts", "Open alerts that nobody is assigned", "status = open and assigned is not set"),
		query("drift", "alerts", "Closed in one service and open in another", "drift = yes"),
		query("active-directory", "alerts", "Alerts of Active Directory", `application = "Active Directory"`),
	}
}

// builtIn are the policies for what people fear first. They learn what is usual from the beginning, and raise nothing
// until they are switched on.
func builtIn() []ActivityPolicy {
	policy := func(p ActivityPolicy) ActivityPolicy {
		p.ID, p.Owner, p.Built = "builtin-"+p.ID, string(formats.Sluice), true
		return p
	}
	return []ActivityPolicy{
		policy(ActivityPolicy{
			ID: "data-exfiltration", Name: "Data exfiltration", Severity: formats.High, Category: "Threat detection",
			Description: "More files downloaded or shared in a day than the user ever did, and than is usual among their peers.",
			Filter:      "action = download, share", Times: 50, Beyond: &Beyond{What: beyondVolume, Factor: 3, Days: 14},
		}),
		policy(ActivityPolicy{
			ID: "mass-deletion", Name: "Mass deletion", Severity: formats.High, Category: "Threat detection",
			Description: "Very many things deleted by one user in an hour.",
			Filter:      "action = delete", Times: 100, Within: time.Hour,
		}),
		policy(ActivityPolicy{
			ID: "new-network", Name: "Log-in from a network never seen", Severity: formats.Medium, Category: "Threat detection",
			Description: "A log-in from a network from which neither the user nor several others ever logged in.",
			Filter:      "action = login and failed = no and ip is set", Times: 1, Within: time.Hour,
			Beyond: &Beyond{What: beyondNew, Field: "network", Days: 14},
		}),
		policy(ActivityPolicy{
			ID: "admin-out-of-hours", Name: "Administrative activity out of hours", Severity: formats.Medium, Category: "Privileged accounts",
			Description: "Administrative activity outside of the hours in which people work.",
			Filter:      "administrative = yes", Times: 1, Within: 12 * time.Hour,
			Outside: &Hours{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "07:00", To: "19:00", Zone: "UTC"},
		}),
		policy(ActivityPolicy{
			ID: "dormant-account", Name: "A dormant account wakes up", Severity: formats.Medium, Category: "Privileged accounts",
			Description: "An account that did nothing for a long time does something.",
			Filter:      "user is set", Times: 1, Within: 24 * time.Hour, Beyond: &Beyond{What: beyondDormant, Days: 45},
		}),
	}
}
