package mcas_test

import (
	"testing"

	"github.com/sluice-siem/sluice/formats/mcas"
)

func TestDeedOf(t *testing.T) {
	for class, want := range map[string]mcas.Deed{
		"EVENT_CATEGORY_LOGIN":                  {Verb: mcas.Login},
		"EVENT_CATEGORY_FAILED_LOGIN":           {Verb: mcas.Login, Failed: true},
		"EVENT_CATEGORY_DOWNLOAD_FILE":          {Verb: mcas.Download, File: true},
		"EVENT_CATEGORY_RUN_COMMAND":            {Verb: mcas.Execute},
		"EVENT_CATEGORY_CREATE_USER":            {Verb: mcas.Create, User: true, Admin: true},
		"EVENT_CATEGORY_UNSHARE_FOLDER":         {Verb: mcas.Unshare, File: true},
		"EVENT_CATEGORY_DELETE_AND_CREATE":      {Verb: mcas.Remove},
		"EVENT_CATEGORY_CHANGE_USER_PASSWORD":   {Verb: mcas.Change, User: true},
		"EVENT_CATEGORY_RESET_USER_PASSWORD":    {Verb: mcas.Change, User: true, Admin: true},
		"EVENT_CATEGORY_ADD_ROLE_MEMBER":        {Verb: mcas.Create, Admin: true},
		"EVENT_CATEGORY_REMOVE_FILE_PERMISSION": {Verb: mcas.Remove, File: true},
		"EVENT_CATEGORY_VIEW_POLICY":            {Verb: mcas.Read},
		"EVENT_CATEGORY_IMPERSONATE":            {Admin: true},
		"EVENT_CATEGORY_UNSPECIFIED":            {},
		"EVENT_LOGIN":                           {},
		"ALERT_CABINET_EVENT_MATCH_AUDIT":       {},
		"":                                      {},
	} {
		if got := mcas.DeedOf(class); got != want {
			t.Errorf("DeedOf(%q) = %+v, want %+v", class, got, want)
		}
	}
}
