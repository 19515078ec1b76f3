#!/bin/sh
# Makes the table Sluice_CL in a Log Analytics workspace, and the data collection rule by which Sluice's target of
# type sentinel writes to it, and prints what the target needs: its url and rule.
#
#   table.sh RESOURCE-GROUP WORKSPACE LOCATION OBJECT-ID
#
# OBJECT-ID is that of the application's service principal, or of the managed identity, which gets the role
# "Monitoring Metrics Publisher" on the rule; that may take half an hour to have its effect. It needs the Azure CLI,
# logged in, and jq.
set -eu
columns() {
  for c in TimeGenerated EventTime RiskScoreTime StartTime EndTime RaisedTime SentTime ArrivedTime DecidedTime; do echo "$c=datetime"; done
  for c in EventKey AlertKey Kind Service Claims NotificationId Origin DetectionType DetectionClass EventTitle Severity Tactics \
    Techniques SourceIp App Url Input ManagedIn Decision Would PolicyRule Reason Relation TwinService TwinNotificationId TwinUrl \
    RiskUser Message RawMessage RawMessageBase64; do echo "$c=string"; done
  for c in Users Hosts Addresses OtherAddresses Extra MatchedBy Twins; do echo "$c=dynamic"; done
  for c in IsUpdate IsTruncated IsShortened; do echo "$c=boolean"; done
  for c in RiskScore RiskScoreBounded; do echo "$c=real"; done
  echo EventCount=int
}

if [ "${1-}" = columns ]; then # what the tests ask for
  columns
  exit
fi

group=${1:?usage: table.sh RESOURCE-GROUP WORKSPACE LOCATION OBJECT-ID}
workspace=${2:?} location=${3:?} principal=${4:?}

# shellcheck disable=SC2046 # one argument a column
az monitor log-analytics workspace table create -g "$group" --workspace-name "$workspace" -n Sluice_CL --columns $(columns) >&2
id=$(az monitor log-analytics workspace show -g "$group" -n "$workspace" --query id -o tsv)
rule=$(az group show -n "$group" --query id -o tsv)/providers/Microsoft.Insights/dataCollectionRules/sluice
body=$(columns | jq -Rn --arg location "$location" --arg id "$id" '{
  location: $location, kind: "Direct", properties: {
    streamDeclarations: {"Custom-Sluice_CL": {columns: [inputs | split("=") | {name: .[0], type: .[1]}]}},
    destinations: {logAnalytics: [{workspaceResourceId: $id, name: "workspace"}]},
    dataFlows: [{streams: ["Custom-Sluice_CL"], destinations: ["workspace"], transformKql: "source", outputStream: "Custom-Sluice_CL"}]
  }}')
az rest --method put --url "https://management.azure.com$rule?api-version=2023-03-11" --body "$body" \
  --query '{rule: properties.immutableId, url: properties.endpoints.logsIngestion}'
az role assignment create --assignee "$principal" --role "Monitoring Metrics Publisher" --scope "$rule" >&2
