package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sluice-siem/sluice/gateway/model"
)

// eachModel visits the files of the model, and those of the models of limited roles.
func (s *store) eachModel(ctx context.Context, visit func(name string, files []model.File)) error {
	views, err := filepath.Glob(filepath.Join(s.config.DataDir, "views", "*"))
	if err != nil {
		return fmt.Errorf("look for views: %w", err)
	}
	for i, dir := range append([]string{filepath.Join(s.config.DataDir, "model")}, views...) {
		name := wholeModel
		if i > 0 {
			name = "view " + filepath.Base(dir)
		}
		files, err := model.Inspect(ctx, dir)
		if err != nil {
			return err
		}
		visit(name, files)
	}
	return nil
}

// wholeModel is what findings call the model of those who see everything.
const wholeModel = "model"

func (s *store) checkModels(ctx context.Context) error {
	return s.eachModel(ctx, func(name string, files []model.File) {
		for _, f := range files {
			switch file := filepath.Base(f.Path); {
			case f.Unread != nil:
				s.found(true, name, "%s can't be read: %v", file, f.Unread)
			case f.Damage != nil:
				s.found(true, name, "%s: %v; \"sluice store repair\" sets it aside, and the gateway makes it anew", file, f.Damage)
			case f.Kind == model.Index:
				s.found(false, name, "%s is sound", file)
			default:
				s.found(false, name, "%s has seen batch %d", file, f.Seen)
			}
		}
	})
}

// repairModels sets aside what is damaged, and says of what the gateway will make it anew, and what is lost.
func (s *store) repairModels(ctx context.Context) error {
	var failed error
	err := s.eachModel(ctx, func(name string, files []model.File) {
		lost, from := s.sourceOf(name, files)
		for _, f := range files {
			if f.Unread != nil {
				s.found(true, name, "%s can't be read, and is left as it is: %v", filepath.Base(f.Path), f.Unread)
			}
			if f.Damage == nil {
				continue
			}
			failed = errors.Join(failed, model.SetAside(f.Path))
			what := fmt.Sprintf("%s: %v; it is set aside, and the gateway makes it anew", filepath.Base(f.Path), f.Damage)
			if f.Kind == model.Tables {
				s.found(lost, name, "%s %s", what, from)
			} else {
				s.found(false, name, "%s", what)
			}
		}
	})
	return errors.Join(err, failed)
}

// sourceOf says from what a model is made anew, and whether that lacks something.
func (s *store) sourceOf(name string, files []model.File) (lost bool, from string) {
	if name != wholeModel {
		return false, "from what the whole model and the stream have"
	}
	for _, f := range files {
		if f.Kind == model.Snapshot && f.Unread != nil {
			return false, "from its snapshot, when that can be read, and the stream"
		}
		if f.Kind == model.Snapshot && f.Damage == nil {
			return false, fmt.Sprintf("from its snapshot, which has seen batch %d, and the stream", f.Seen)
		}
	}
	if first, _ := s.stream.Bounds(); first > 1 {
		return true, fmt.Sprintf("from the stream, which begins at batch %d: what was before is not shown any more, nor what operators did then", first)
	}
	if s.lost > 0 {
		return true, fmt.Sprintf("from the stream, without the %d of its batches that can't be read", s.lost)
	}
	return false, "from the stream, which is whole"
}
