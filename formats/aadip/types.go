package aadip

import "strings"

// titles are the readable names of riskEventType (Entra documentation, "What are risk detections?").
// They are made anew for each call, which an alert can afford.
func titles() map[string]string {
	return map[string]string{
		"adminConfirmedUserCompromised":        "Admin confirmed user compromised",
		"anomalousToken":                       "Anomalous token",
		"anomalousUserActivity":                "Anomalous user activity",
		"anonymizedIPAddress":                  "Anonymous IP address",
		"attackerinTheMiddle":                  "Attacker in the Middle",
		"attemptedPrtAccess":                   "Possible attempt to access Primary Refresh Token (PRT)",
		"generic":                              "Additional risk detected",
		"impossibleTravel":                     "Impossible travel",
		"investigationsThreatIntelligence":     "Microsoft Entra threat intelligence",
		"leakedCredentials":                    "Leaked credentials",
		"maliciousIPAddress":                   "Malicious IP address",
		"malwareInfectedIPAddress":             "Malware linked IP address",
		"mcasFinSuspiciousFileAccess":          "Mass access to sensitive files",
		"mcasImpossibleTravel":                 "Impossible travel",
		"mcasSuspiciousInboxManipulationRules": "Suspicious inbox manipulation rules",
		"nationStateIP":                        "Verified threat actor IP",
		"newCountry":                           "New country",
		"passwordSpray":                        "Password spray",
		"riskyIPAddress":                       "Activity from anonymous IP address",
		"suspiciousAPITraffic":                 "Suspicious API traffic",
		"suspiciousBrowser":                    "Suspicious browser",
		"suspiciousIPAddress":                  "Suspicious IP address",
		"suspiciousInboxForwarding":            "Suspicious inbox forwarding",
		"suspiciousSendingPatterns":            "Suspicious sending patterns",
		"tokenIssuerAnomaly":                   "Token issuer anomaly",
		"unfamiliarFeatures":                   "Unfamiliar sign-in properties",
		"unlikelyTravel":                       "Atypical travel",
		"userReportedSuspiciousActivity":       "User reported suspicious activity",
	}
}

// title returns the readable name of a type; one that isn't known is its own name.
func title(riskEventType string) string {
	if t, ok := titles()[riskEventType]; ok {
		return t
	}
	return riskEventType
}

// typeOf returns the riskEventType that an alert's category or title names, "" if neither names one.
// Two types have the same title; Identity Protection's own is meant, which is the one without mcas.
func typeOf(category, alertTitle string) string {
	for t := range titles() {
		if strings.EqualFold(t, category) {
			return t
		}
	}
	best := ""
	for t, name := range titles() {
		if strings.EqualFold(name, alertTitle) && (best == "" || t < best) {
			best = t
		}
	}
	return best
}

// byCloudAppSecurity tells the types that Cloud App Security detects.
func byCloudAppSecurity(riskEventType string) bool {
	switch riskEventType {
	case "riskyIPAddress", "impossibleTravel", "newCountry", "suspiciousInboxForwarding":
		return true
	}
	return strings.HasPrefix(riskEventType, "mcas")
}
