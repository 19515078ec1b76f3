package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/config/directory"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/risk"
)

// roster knows people by the spellings that services use for them.
type roster struct {
	people    []risk.Person
	known     map[string]bool   // users: of the directory, and those who did something
	users     map[string]string // by the key of a spelling; empty where it may be several people's
	spellings dedup.People
}

// newRoster reads the directory, where one is named.
func newRoster(c config.Config) (*roster, error) {
	r := &roster{known: map[string]bool{}, users: map[string]string{}, spellings: dedup.NewPeople(c.Organisation)}
	if file := c.Organisation.DirectoryFile; file != "" {
		people, err := directory.Load(file)
		if err != nil {
			return nil, fmt.Errorf("organisation.directory_file %s: %w", file, err)
		}
		for i := range people {
			r.add(&people[i])
		}
	}
	for _, spelling := range c.Risk.Watched {
		user := r.user(spelling)
		i := slices.IndexFunc(r.people, func(p risk.Person) bool { return p.User == user })
		if i < 0 {
			i = len(r.people)
			r.people = append(r.people, risk.Person{User: user})
		}
		r.people[i].Watched = true
	}
	return r, nil
}

// add takes a person with all spellings.
func (r *roster) add(p *directory.Person) {
	user := strings.ToLower(cmp.Or(p.UPN, p.SAM))
	r.known[user] = true
	account := r.spellings.Read(p.SAM)
	for _, key := range []string{
		r.spellings.Read(p.UPN).Key, account.Key, r.spellings.In(account, r.spellings.Read(p.UPN)).Key, r.spellings.Read(p.Display).Key, bare(p.SAM),
	} {
		r.name(key, user)
	}
	r.people = append(r.people, risk.Person{
		User: user, Department: p.Department, Sensitive: p.Sensitive,
		Admin: model.Administers(p.Title) || slices.ContainsFunc(p.Groups, model.Administers),
	})
}

func (r *roster) name(key, user string) {
	switch old, taken := r.users[key]; {
	case key == "":
	case taken && old != user:
		r.users[key] = "" // two people's
	default:
		r.users[key] = user
	}
}

// user is whose a spelling is: the user's UPN where the directory or an activity tells, and otherwise the spelling
// itself in lower case.
func (r *roster) user(spelling string) string {
	s := r.spellings.Read(spelling)
	if user := r.users[s.Key]; user != "" {
		return user
	}
	if user := r.users[bare(spelling)]; user != "" && s.Form != dedup.Display && s.Form != dedup.Principal {
		return user
	}
	return cmp.Or(s.UPN, s.Key)
}

// bare is an account without its domain, as services write it that know of one domain only.
func bare(account string) string {
	account = strings.ToLower(account)
	return account[strings.LastIndex(account, `\`)+1:]
}

// meet learns of a user who did something, and of the bare name by which an alert may speak of the same.
func (r *roster) meet(user string) {
	if r.known[user] {
		return
	}
	r.known[user] = true
	if local, _, ok := strings.Cut(user, "@"); ok {
		r.name(local, user)
	}
}
