package cef

import "strings"

// Known tells whether key is in the dictionary: the ArcSight "Common Event Format" guide's producer
// and consumer keys with their labels, its ad. namespace, and what the services, ArcSight's connectors and Sluice add.
func Known(key string) bool {
	switch key {
	case
		"act", "agentDnsDomain", "agentNtDomain", "agentTranslatedAddress",
		"agentTranslatedZoneExternalID", "agentTranslatedZoneURI", "agentZoneExternalID",
		"agentZoneURI", "agt", "ahost", "aid", "amac", "app", "art", "at",
		"atz", "av", "c6a1", "c6a1Label", "c6a2", "c6a2Label", "c6a3", "c6a3Label",
		"c6a4", "c6a4Label", "cat", "catdt", "categoryBehavior", "categoryDeviceGroup",
		"categoryObject", "categoryOutcome", "categorySignificance", "categoryTechnique",
		"cfp1", "cfp1Label", "cfp2", "cfp2Label", "cfp3", "cfp3Label", "cfp4",
		"cfp4Label", "cn1", "cn1Label", "cn2", "cn2Label", "cn3", "cn3Label", "cnt",
		"cs1", "cs1Label", "cs2", "cs2Label", "cs3", "cs3Label", "cs4", "cs4Label",
		"cs5", "cs5Label", "cs6", "cs6Label", "customerExternalID", "customerURI",
		"destinationDnsDomain", "destinationServiceName", "destinationTranslatedAddress",
		"destinationTranslatedPort", "destinationTranslatedZoneExternalID",
		"destinationTranslatedZoneURI", "destinationZoneExternalID", "destinationZoneURI",
		"deviceCustomDate1", "deviceCustomDate1Label", "deviceCustomDate2",
		"deviceCustomDate2Label", "deviceDirection", "deviceDnsDomain", "deviceExternalId",
		"deviceFacility", "deviceInboundInterface", "deviceNtDomain", "deviceOutboundInterface",
		"devicePayloadId", "deviceProcessName", "deviceSeverity", "deviceTranslatedAddress",
		"deviceTranslatedZoneExternalID", "deviceTranslatedZoneURI", "deviceZoneExternalID",
		"deviceZoneURI", "dhost", "dlat", "dlong", "dmac", "dntdom", "dpid",
		"dpriv", "dproc", "dpt", "dst", "dtz", "duid", "duser", "dvc",
		"dvchost", "dvcmac", "dvcpid", "end", "eventId", "externalId", "fileCreateTime",
		"fileHash", "fileId", "fileModificationTime", "filePath", "filePermission",
		"fileType", "flexDate1", "flexDate1Label", "flexDate2", "flexDate2Label",
		"flexNumber1", "flexNumber1Label", "flexNumber2", "flexNumber2Label", "flexString1",
		"flexString1Label", "flexString2", "flexString2Label", "fname", "fsize", "in",
		"mrt", "msg", "oldFileCreateTime", "oldFileHash", "oldFileId",
		"oldFileModificationTime", "oldFileName", "oldFilePath", "oldFilePermission",
		"oldFileSize", "oldFileType", "out", "outcome", "proto", "rawEvent", "reason",
		"reportedDuration", "reportedResourceGroupName", "request", "requestClientApplication",
		"requestContext", "requestCookies", "requestMethod", "rt", "shost", "slat",
		"slong", "smac", "sntdom", "sourceDnsDomain", "sourceServiceName",
		"sourceTranslatedAddress", "sourceTranslatedPort", "sourceTranslatedZoneExternalID",
		"sourceTranslatedZoneURI", "sourceZoneExternalID", "sourceZoneURI", "spid", "spriv",
		"sproc", "spt", "src", "start", "suid", "suser", "type",
		// Defender for Identity, since release 2.174
		"shostfqdn",
		// ArcSight's connectors, in events of others that they pass on
		"_cefVer", "locality",
		// Sluice itself, so that one gateway can read what another wrote
		"sluiceAddresses", "sluiceAlertId", "sluiceClaims", "sluiceEventKey", "sluiceHosts", "sluiceManagedIn",
		"sluiceOrigin", "sluiceReason", "sluiceRelation", "sluiceRiskScore", "sluiceRiskScoreBounded",
		"sluiceRiskScoreTime", "sluiceRiskUser", "sluiceRule", "sluiceService", "sluiceShortened", "sluiceTactics",
		"sluiceTechniques", "sluiceTruncated", "sluiceTwin", "sluiceTwinUrl", "sluiceUsers", "sluiceWould":
		return true
	}
	return len(key) > len("ad.") && strings.HasPrefix(key, "ad.")
}
