package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-siem/sluice/gateway/stream"
)

// ocsfPublished is the newest release of OCSF whose schemas can be had as a package. It is not ours, [ocsfVersion],
// but two releases before it, which is why newerAttributes are passed over.
const ocsfPublished = "1.2.0"

// newerAttributes are those in use that came after [ocsfPublished], as they stand in OCSF's repository
// at the commit that prepared 1.4.0. Our own transcription of 1.4.0 says what is in them.
func newerAttributes() map[string][]string {
	return map[string][]string{
		"detection_finding": {"is_alert"},
		"finding_info":      {"uid_alt"},
		"related_event":     {"desc", "first_seen_time"},
	}
}

// published are the schemas of others that .ci/install brings, by format. Where they are missing a
// test that has nothing else to do is skipped, and each one fails where tests are strict.
func published(t testing.TB) (all map[string]schema, missing string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(cache, "sluice-ci")
	all = map[string]schema{}
	fields, err := readECSFields(filepath.Join(tools, "schema", "ecs-"+ecsVersion+".json"))
	if err == nil {
		all["ecs"] = fields
		all["ocsf"], err = readOCSFClasses(filepath.Join(tools, "schema", "ocsf-"+ocsfPublished))
	}
	switch {
	case err == nil:
		return all, ""
	case !errors.Is(err, os.ErrNotExist):
		t.Fatal(err)
	}
	missing = fmt.Sprintf("a published schema is missing: .ci/install %s: %v", tools, err)
	if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
		t.Fatal(missing)
	}
	return nil, missing
}

// ecsFields is Elastic's field reference.
type ecsFields map[string]struct {
	Type      string
	Normalize []string
	Required  bool
	Allowed   []struct {
		Name  string
		Types []string `json:"expected_event_types"`
	} `json:"allowed_values"`
}

func readECSFields(file string) (ecsFields, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f ecsFields
	return f, json.Unmarshal(text, &f)
}

// Validate wants of a document that the reference has each of its fields, but for ours below sluice, that each
// value is what its field's type takes, and that the categories expect the types.
func (f ecsFields) Validate(v any) error {
	document, ok := v.(map[string]any)
	if !ok {
		return errors.New("no document")
	}
	var problems []error
	for name, field := range f {
		if field.Required && at(v, strings.ReplaceAll(name, ".", " ")) == nil {
			problems = append(problems, fmt.Errorf("no %s", name))
		}
	}
	rest := maps.Clone(document)
	delete(rest, "sluice")
	problems = append(problems, f.object("", rest), f.categories(document))
	return errors.Join(problems...)
}

func (f ecsFields) object(path string, o map[string]any) error {
	var problems []error
	for key, value := range o {
		name := path + key
		inner, isObject := value.(map[string]any)
		if _, known := f[name]; !known && isObject {
			problems = append(problems, f.object(name+".", inner))
			continue
		}
		problems = append(problems, f.field(name, value))
	}
	return errors.Join(problems...)
}

// field looks at one field's value, which is a list where the reference says so and nowhere else.
func (f ecsFields) field(name string, value any) error {
	field, known := f[name]
	if !known {
		return fmt.Errorf("%s is no field of ECS", name)
	}
	values, isList := value.([]any)
	if isList != slices.Contains(field.Normalize, "array") {
		return fmt.Errorf("%s is %v, and its reference says %q", name, value, field.Normalize)
	}
	if !isList {
		values = []any{value}
	}
	for _, v := range values {
		if !takes(field.Type, v) {
			return fmt.Errorf("%s is %v (%T), which is no %s", name, v, v, field.Type)
		}
		allowed := len(field.Allowed) == 0
		for _, a := range field.Allowed {
			allowed = allowed || a.Name == v
		}
		if !allowed {
			return fmt.Errorf("%s is %v, which isn't allowed", name, v)
		}
	}
	return nil
}

// takes says whether an index takes the value for a field of that type as it stands.
func takes(kind string, v any) bool {
	switch v := v.(type) {
	case string:
		switch kind {
		case "keyword", "constant_keyword", "wildcard", "match_only_text":
			return true
		case "ip":
			_, err := netip.ParseAddr(v)
			return err == nil
		case "date":
			_, err := time.Parse(time.RFC3339Nano, v)
			return err == nil
		}
	case json.Number:
		_, err := v.Int64()
		return kind == "float" || kind == "long" && err == nil
	case bool:
		return kind == "boolean"
	}
	return false
}

// categories wants each of event.type to be expected by one of event.category.
func (f ecsFields) categories(document map[string]any) error {
	categories, _ := at(document, "event category").([]any)
	if len(categories) == 0 {
		return nil
	}
	var expected []any
	for _, a := range f["event.category"].Allowed {
		if slices.Contains(categories, any(a.Name)) {
			for _, t := range a.Types {
				expected = append(expected, t)
			}
		}
	}
	types, _ := at(document, "event type").([]any)
	for _, t := range types {
		if !slices.Contains(expected, t) {
			return fmt.Errorf("event.type %v is none of %v, which %v expect", t, expected, categories)
		}
	}
	return nil
}

// ocsfClasses are the classes in use, by their class_uid.
type ocsfClasses map[string]*jsonschema.Schema

func readOCSFClasses(dir string) (ocsfClasses, error) {
	all := ocsfClasses{}
	for uid, name := range map[string]string{
		"0": "base_event", "2004": "detection_finding", "3001": "account_change", "3002": "authentication",
		"6003": "api_activity", "6006": "file_hosting",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "classes_"+name+".json.zst"))
		if err != nil {
			return nil, err
		}
		d, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		if text, err = d.DecodeAll(text, nil); err != nil {
			return nil, err
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		class, _ := v.(map[string]any)
		closeOCSF(name, class)
		c := jsonschema.NewCompiler()
		if err := c.AddResource(name, class); err != nil {
			return nil, err
		}
		if all[uid], err = c.Compile(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// closeOCSF makes a class refuse attributes that the schema doesn't have: as published, any may come. It drops the
// demands of the profiles cloud and security_control, which the server exports with every class and which a
// producer applies or doesn't; Sluice doesn't.
func closeOCSF(name string, class map[string]any) {
	required, _ := class["required"].([]any)
	class["required"] = slices.DeleteFunc(required, func(v any) bool { return v == "cloud" || v == "action_id" })
	objects, _ := class["$defs"].(map[string]any)
	objects[name] = class
	for name, o := range objects {
		object, _ := o.(map[string]any)
		attributes, _ := object["properties"].(map[string]any)
		if len(attributes) == 0 {
			continue // such as unmapped, which has whatever there is
		}
		for _, newer := range newerAttributes()[name] {
			attributes[newer] = true
		}
		object["additionalProperties"] = false
	}
	delete(objects, name)
}

// Validate holds an event against its class.
func (c ocsfClasses) Validate(v any) error {
	uid, _ := at(v, "class_uid").(json.Number)
	class := c[uid.String()]
	if class == nil {
		return fmt.Errorf("no class %v", uid)
	}
	return class.Validate(v)
}

// TestPublishedSchemas: what the golden files say is valid by the schemas of others, and these find what is wrong.
// That our own schemas, which say more, agree with every rendered event is in the other tests; where these
// are installed, they are asked there too, and by the fuzz targets.
func TestPublishedSchemas(t *testing.T) {
	all, missing := published(t)
	if missing != "" {
		t.Skip(missing)
	}
	login := received(activity("EVENT_CATEGORY_LOGIN", "Log on", "suser=a@b.example destinationServiceName=Box dvc=10.0.0.1"))
	alert := paired(received([]byte("<36>1 2031-05-06T07:08:08Z s CEF 1 X 0|Microsoft|Azure ATP|2.1|XSecurityAlert|T|5|" +
		"start=2031-05-06T07:00:00.1234567Z suser=ida shost=pc1 msg=x externalId=2009")))
	tests := map[string][][2]string{
		"ecs": {
			{`"dataset":"`, `"teapot":1,"dataset":"`},
			{`"kind":"alert"`, `"kind":"teapot"`},
			{`"severity":47`, `"severity":"47"`},
			{`"severity":47`, `"severity":4.7`},
			{`"created":"2031`, `"created":"May 2031`},
			{`"module":"sluice"`, `"module":["sluice"]`},
			{`"type":["info"]`, `"type":"info"`},
			{`"type":["info"]`, `"type":["installation"]`},
			{`"message":"x"`, `"message":1`},
			{`"ecs":{"version":"8.11.0"},`, ``},
			{`"ip":"10.0.0.1"`, `"ip":"10.0.0.x"`},
			{`"category":["authentication"]`, `"category":["file"]`},
		},
		"ocsf": {
			{`"is_alert":`, `"teapot":1,"is_alert":`},
			{`"status_id":1`, `"status_id":7`},
			{`"severity_id":3`, `"severity_id":"3"`},
			{`"type_id":1,"type":"Rule"`, `"type":"Rule"`},
			{`"title":"T"`, `"name":"T"`},
			{`"technique":{`, `"technique":{"teapot":"",`},
			{`"time":`, `"time":0.5,"start_time":`},
			{`"hostname":"pc1"`, `"hostname":["pc1"]`},
			{`"product":{`, `"products":{`},
			{`"activity_id":1,"type_uid":300201`, `"activity_id":42,"type_uid":300242`},
			{`"user":{`, `"users":{`},
			{`"class_uid":3002`, `"class_uid":3003`},
		},
	}
	for format, changes := range tests {
		var texts []string
		for _, e := range []*stream.Entry{&login, &alert} {
			text, err := rendered(format, nil, e, 0)
			if err != nil {
				t.Fatal(err)
			}
			check(t, all[format], text)
			texts = append(texts, string(text))
		}
		for _, c := range changes {
			found := false
			for _, text := range texts {
				wrong := strings.Replace(text, c[0], c[1], 1)
				if wrong == text {
					continue
				}
				found = true
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
				if err != nil {
					t.Fatal(err)
				}
				if all[format].Validate(v) == nil {
					t.Errorf("%s: %s in place of %s is valid", format, c[1], c[0])
				}
			}
			if !found {
				t.Errorf("%s: no %s in %s", format, c[0], texts)
			}
		}
	}
}
