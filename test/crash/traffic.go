package main

import (
	"container/heap"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// digest tells messages apart.
type digest [16]byte

func digestOf(raw []byte) (d digest) {
	sum := sha256.Sum256(raw)
	copy(d[:], sum[:])
	return d
}

// item is one message that a sender has to send. Its sender alone touches it.
type item struct {
	raw   []byte
	is    digest
	due   time.Time
	tries int // how often it went into a socket
	acked bool
}

// traffic is what happens at the made-up company Fjordwerk.
type traffic struct {
	mu      sync.Mutex // guards what follows
	rng     *rand.Rand
	queue   itemQueue
	number  int            // of the next thing that happens
	alerts  map[digest]int // whose message it is
	stopped bool
}

func newTraffic(rng *rand.Rand) *traffic { return &traffic{rng: rng, alerts: map[digest]int{}} }

// stop lets nothing new happen. What has begun goes on.
func (t *traffic) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

// count is how many things have happened.
func (t *traffic) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.number
}

// take gives up to most messages that are due, making something happen where nothing is. over means that
// these are the last ones.
func (t *traffic) take(now time.Time, most int) (out []*item, over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(out) < most {
		if len(t.queue) > 0 && !t.queue[0].due.After(now) {
			out = append(out, heap.Pop(&t.queue).(*item))
			continue
		}
		if t.stopped {
			break
		}
		t.happen(now)
	}
	return out, t.stopped && len(t.queue) == 0
}

// say puts a message into the queue.
func (t *traffic) say(raw string, alert int, due time.Time) {
	i := &item{raw: []byte(raw), due: due}
	i.is = digestOf(i.raw)
	if alert >= 0 {
		t.alerts[i.is] = alert
	}
	heap.Push(&t.queue, i)
}

// later is now, soon, or when a hold is over.
func (t *traffic) later(now time.Time) time.Time {
	switch t.rng.IntN(4) {
	case 0:
		return now
	case 1, 2:
		return now.Add(time.Duration(t.rng.Int64N(int64(400 * time.Millisecond))))
	}
	return now.Add(time.Duration(t.rng.Int64N(int64(4 * time.Second))))
}

// happen makes one thing happen.
func (t *traffic) happen(now time.Time) {
	n := t.number
	t.number++
	switch dice := t.rng.IntN(100); {
	case dice < 40:
		t.alert(n, now)
	case dice < 80:
		t.say(activity(n), -1, now)
		if t.rng.IntN(8) == 0 {
			t.say(activity(n), -1, t.later(now))
		}
	case dice < 88:
		t.say(riskDetection(n, "high"), n, now)
		if t.rng.IntN(4) == 0 {
			t.say(riskDetection(n, "medium"), n, t.later(now))
		}
	case dice < 94:
		t.say(healthAlert(n), -1, now)
	default:
		t.say(fmt.Sprintf("<13>something %d that \xff\x01 nobody understands", n), -1, now)
	}
}

// alert is told by one service or by both, in either order, perhaps again and perhaps with news.
func (t *traffic) alert(n int, now time.Time) {
	tell := []func(int, string) string{defenderAlert, cloudAlert}
	switch t.rng.IntN(6) {
	case 0:
		tell = tell[:1]
	case 1:
		tell = tell[1:]
	case 2, 3:
		tell[0], tell[1] = tell[1], tell[0]
	}
	at := now
	for _, one := range tell {
		t.say(one(n, ""), n, at)
		if t.rng.IntN(5) == 0 {
			t.say(one(n, ""), n, t.later(at))
		}
		if t.rng.IntN(4) == 0 {
			t.say(one(n, "There is news."), n, t.later(at))
		}
		at = t.later(at)
	}
}

// itemQueue is a heap, the earliest first.
type itemQueue []*item

func (q itemQueue) Len() int           { return len(q) }
func (q itemQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q itemQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is for [heap].
func (q *itemQueue) Push(x any) { *q = append(*q, x.(*item)) }

// Pop is for [heap].
func (q *itemQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// happened is so far from the next one that they are candidates for nothing, and before it is told, for a start that lies
// ahead counts for none: so after 60,000 the times come again, of other people on other machines.
func happened(n int) time.Time {
	return time.Date(2012, 5, 14, 6, 0, 1, 123_456_700, time.UTC).Add(time.Duration(n%60_000) * 2 * time.Hour)
}

func defenderAlert(n int, news string) string {
	t, trigger := happened(n), "new"
	if news != "" {
		trigger = "update"
	}
	return fmt.Sprintf("<36>1 %s FW-DC2 CEF 3388 PassTheTicketSecurityAlert 0|Microsoft|Azure ATP|2.231.1.0|PassTheTicketSecurityAlert|"+
		"Suspected identity theft (pass-the-ticket)|10|start=%s app=Kerberos shost=FW-PC%05d suser=worker%05d "+
		"msg=Worker No%05d's Kerberos tickets were stolen from FW-PC%05d to FW-LAB%05d. %s externalId=2018 cs1Label=url "+
		`cs1=https\://fjordwerk.atp.azure.com/securityAlert/0badcafe-%04x-4aaa-8bbb-%012x cs2Label=trigger cs2=%s`,
		t.Add(time.Minute).Format("2006-01-02T15:04:05.000000-07:00"), t.Format("2006-01-02T15:04:05.0000000Z"),
		n, n, n, n, n, news, n&0xffff, n, trigger)
}

func cloudAlert(n int, news string) string {
	t := happened(n)
	return fmt.Sprintf("%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_PASS_THE_TICKET_SECURITY_ALERT|"+
		"Suspected identity theft (pass-the-ticket)|6|externalId=664300%018x start=%d end=%d "+
		"msg=Worker No%05d's Kerberos tickets were stolen from FW-PC%05d to FW-LAB%05d. %s suser=worker%05d@fjordwerk.example "+
		"destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL "+
		"cs1=https://fjordwerk.portal.cloudappsecurity.com/#/alerts/664300%018x cs2Label=uniqueServiceAppIds cs2= cs3Label=relatedAudits cs3= "+
		"cs4Label=policyIDs cs4=",
		t.Format("2006-01-02T15:04:05.000Z"), n, t.UnixMilli(), t.UnixMilli(), n, n, n, news, n, n)
}

func activity(n int) string {
	t := happened(n)
	return fmt.Sprintf("%s FWAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|EVENT_CATEGORY_DOWNLOAD_FILE|Download file|0|"+
		"externalId=%d_20893_5f3a1c22-0000-4000-8000-%012x rt=%d start=%d end=%d msg=Download file: file drawing%05d.dwg "+
		"suser=worker%05d@fjordwerk.example destinationServiceName=Box dvc=192.0.2.%d requestClientApplication=Mozilla/5.0 "+
		"cs1Label=portalURL cs1=https://fjordwerk.portal.cloudappsecurity.com/#/audits cs2Label=uniqueServiceAppIds cs2=APPID_BOX "+
		`cs3Label=targetObjects cs3=drawing%05d.dwg cs4Label=policyIDs cs4= c6a1Label="Device IPv6 Address" c6a1=`,
		t.Format("2006-01-02T15:04:05.000Z"), 97531000+n, n, t.UnixMilli(), t.UnixMilli(), t.UnixMilli(), n, n, n%250+1, n)
}

func riskDetection(n int, level string) string {
	at := happened(n).Format("2006-01-02T15:04:05.0000000Z")
	return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.riskDetection","id":"6f2c0d7a%08x","riskEventType":"unfamiliarFeatures",`+
		`"riskState":"atRisk","riskLevel":%q,"source":"IdentityProtection","activity":"signin","ipAddress":"203.0.113.7",`+
		`"activityDateTime":%q,"detectedDateTime":%q,"userDisplayName":"Worker %d","userPrincipalName":"worker%05d@fjordwerk.example"}`,
		n, level, at, at, n, n)
}

func healthAlert(n int) string {
	return fmt.Sprintf(`<36>1 %s FW-DC2 CEF 3388 - 0|Microsoft|Azure ATP|2.231.1.0|SensorDisconnectedMonitoringAlert|SensorDisconnectedMonitoringAlert|5|`+
		`externalId=1011 cs1Label=url cs1=https\://fjordwerk.atp.azure.com/monitoring msg=There has not been communication from the Sensor FWDC%05d for 5 minutes.`,
		happened(n).Format("2006-01-02T15:04:05.000000-07:00"), n)
}
