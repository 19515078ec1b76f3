package cef

import (
	"slices"
	"strings"
	"unicode"
)

// inFull tells whether an extension has its keys under their full names, as Logstash's codec writes them where it isn't told
// otherwise: one that has the usual keys, too, only has a text in which somebody wrote such a name.
func inFull(ext []Field, s string) bool {
	if slices.ContainsFunc(ext, func(f Field) bool { return f.Key == "start" || f.Key == "suser" || f.Key == "msg" || f.Key == "cs1" }) {
		return false
	}
	return strings.Contains(s, "startTime=") || strings.Contains(s, "deviceCustomString1=") || strings.Contains(s, "sourceUserName=")
}

// inLower tells whether an extension has its keys in lower case, as relays that fold everything write them: one with a key that
// isn't only has a text in which somebody wrote such a key.
func inLower(ext []Field, s string) bool {
	if slices.ContainsFunc(ext, func(f Field) bool { return strings.ContainsFunc(f.Key, unicode.IsUpper) }) {
		return false
	}
	return strings.Contains(s, "externalid=") || strings.Contains(s, "cs1label=")
}

// raised is the key of a name in lower case, of those with other letters that the services write; of any other key it is the key.
func raised(name string) string {
	if custom, ok := strings.CutSuffix(name, "label"); ok {
		name = custom + "Label"
	}
	switch name {
	case "destinationservicename":
		return "destinationServiceName"
	case "externalid":
		return "externalId"
	case "requestclientapplication":
		return "requestClientApplication"
	case "requestmethod":
		return "requestMethod"
	}
	return name
}

// short is the key of a full name in the CEF guide, of those that the services write; of any other key it is the key.
func short(name string) string {
	for _, custom := range [...][2]string{
		{"deviceCustomString", "cs"}, {"deviceCustomNumber", "cn"}, {"deviceCustomIPv6Address", "c6a"},
	} {
		if number, ok := strings.CutPrefix(name, custom[0]); ok {
			return custom[1] + number
		}
	}
	switch name {
	case "applicationProtocol":
		return "app"
	case "baseEventCount":
		return "cnt"
	case "destinationHostName":
		return "dhost"
	case "destinationUserName":
		return "duser"
	case "deviceAddress":
		return "dvc"
	case "deviceReceiptTime":
		return "rt"
	case "endTime":
		return "end"
	case "eventOutcome":
		return "outcome"
	case "message":
		return "msg"
	case "requestUrl":
		return "request"
	case "sourceAddress":
		return "src"
	case "sourceHostName":
		return "shost"
	case "sourceUserName":
		return "suser"
	case "startTime":
		return "start"
	}
	return name
}
