package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

func (s *service) users(api huma.API) {
	const tag = "users"
	failures := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusServiceUnavailable}
	huma.Register(api, op("GET", "/users", "list-users", "The people that alerts and activities name", tag, http.StatusBadRequest), s.listUsers)
	huma.Register(api, op("GET", "/users/{id}", "get-user", "One person with every name they go by", tag, http.StatusNotFound),
		func(ctx context.Context, in *OneUser) (*tagged[model.User], error) {
			u, err := s.Model.User(ctx, in.ID)
			if err != nil {
				return nil, fault(err)
			}
			return &tagged[model.User]{userTag(u), u}, nil // never 304, as it shows more than the tag is of
		})
	s.priority(api)
	huma.Register(api, op("GET", "/users/{id}/timeline", "get-user-timeline", "A person's alerts and activities of all services", tag, http.StatusNotFound, http.StatusBadRequest), s.timeline)
	huma.Register(api, op("POST", "/users/{id}/tags", "tag-user", "Set a person's tags", tag, failures...), s.tagUser)
	huma.Register(api, op("POST", "/users/{id}/join", "join-users", "Make two people one", tag, failures...), s.joinUsers)
	huma.Register(api, op("POST", "/users/{id}/split", "split-user", "Give names of a person to a person of their own", tag, failures...), s.splitUser)
}

// OneUser is the path of a user.
type OneUser struct {
	ID string `path:"id" doc:"Sluice's ID of the user." maxLength:"64"`
}

func (s *service) listUsers(ctx context.Context, in *PageInput) (*list[model.User], error) {
	q, err := s.query(ctx, *in, model.UserFields())
	if err != nil {
		return nil, err
	}
	p, err := s.Model.Users(ctx, q)
	return listOf(s, p, err)
}

type timelineInput struct {
	OneUser
	PageInput
}

func (s *service) timeline(ctx context.Context, in *timelineInput) (*list[model.Activity], error) {
	q, err := s.query(ctx, in.PageInput, filter.Activities())
	if err != nil {
		return nil, err
	}
	p, err := s.Model.Timeline(ctx, in.ID, q)
	return listOf(s, p, err)
}

// EditUser names a user and, if who asks wants that, the version that was read.
type EditUser struct {
	Operator
	OneUser
	IfMatch string `header:"If-Match" doc:"The entity tag with which the user was read, several or *; who was made somebody else meanwhile is then left alone. What is seen of a user doesn't change it."`
}

// editUser does something to a user.
func (s *service) editUser(ctx context.Context, in EditUser, act func(model.User) model.Act) (*done, error) {
	return s.actIf(ctx, in.by, func() (model.Act, error) {
		u, err := s.Model.User(ctx, in.ID)
		if err == nil && in.IfMatch != "" {
			err = matches(in.IfMatch, userTag(u))
		}
		if err != nil {
			return nil, err
		}
		return act(u), nil
	}, func(out *done) {
		if u, err := s.Model.User(ctx, in.ID); err == nil {
			out.ETag = userTag(u)
		}
	})
}

type tagInput struct {
	EditUser
	Body struct {
		Tags []string `json:"tags" enum:"sensitive,admin,watched" maxItems:"3"`
		Seen []string `json:"seen,omitempty" enum:"sensitive,admin,watched" maxItems:"3" doc:"The tags that were there when the user was looked at: what others set or took away meanwhile stays so. Left out, tags are all."`
	}
}

func (s *service) tagUser(ctx context.Context, in *tagInput) (*done, error) {
	return s.editUser(ctx, in.EditUser, func(u model.User) model.Act {
		tags := in.Body.Tags
		if in.Body.Seen != nil {
			tags = retagged(u.Tags, in.Body.Seen, tags)
		}
		return model.Tag{User: in.ID, Tags: tags}
	})
}

// retagged are the tags that somebody has, with what is chosen otherwise than was seen.
func retagged(has, seen, chosen []string) []string {
	out := slices.DeleteFunc(slices.Clone(has), func(tag string) bool { return slices.Contains(seen, tag) && !slices.Contains(chosen, tag) })
	for _, tag := range chosen {
		if !slices.Contains(seen, tag) && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

type joinInput struct {
	EditUser
	Body struct {
		With string `json:"with" doc:"The ID of the user who becomes part of this one." minLength:"1" maxLength:"64"`
	}
}

func (s *service) joinUsers(ctx context.Context, in *joinInput) (*done, error) {
	return s.editUser(ctx, in.EditUser, func(model.User) model.Act { return model.Join{User: in.ID, With: in.Body.With} })
}

type splitInput struct {
	EditUser
	Body struct {
		Spellings []string `json:"spellings" minItems:"1" maxItems:"100"`
	}
}

func (s *service) splitUser(ctx context.Context, in *splitInput) (*done, error) {
	return s.editUser(ctx, in.EditUser, func(model.User) model.Act { return model.Split{User: in.ID, Spellings: in.Body.Spellings} })
}
