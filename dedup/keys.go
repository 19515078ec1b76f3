package dedup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// The keys of the state in Badger, one letter a table.
//
//	m                                      mark: how far the stream is folded
//	e <hash of service, channel, id>       prior: the first notification of an ID, if it is an alert
//	u <hash of the same and the content>   later contents of that ID, by which a resend is known
//	K <number>                             block: the same of the activities of a batch
//	k <number>                             block of a state that was begun before they were in K
//	s <hash of service, class, start>      alert of that start, for messages whose ID was cut off
//	a <alert>                              Alert
//	n <alert> <service>                    sighted: the service's first notification of the alert
//	t <wanted> <from> <type> <moment> <alert>  alerts of service from that service wanted may report too:
//	                                       the event's key and, once paired, the points of the pairing
//	h <due> <held since> <event>           Held
//	r <request>                            progress: how much of a request is recorded
//	q <service>                            Rhythm
const (
	tableMark  = 'm'
	tablePrior = 'e'
	tableLater = 'u'
	tableStart = 's'
	tableAlert = 'a'
	tableFirst = 'n'
	tableOpen  = 't'
	tableHeld  = 'h'

	tableActivities = 'K' // before all others; see activities.go
	tableFormerly   = 'k'

	tableRequest = 'r'
	tableRhythm  = 'q'
)

func hashKey(table byte, fields ...string) []byte {
	h := hash16(fields...)
	return append([]byte{table}, h[:]...)
}

func hash16(fields ...string) [16]byte {
	var usual [256]byte // on the stack
	b := usual[:0]
	for _, f := range fields {
		b = appendField(b, f)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// priorKey of a message without ID is made of its content: it can only be known again whole.
func priorKey(n *formats.Notification) []byte {
	if n.ID == "" {
		return hashKey(tablePrior, string(n.Service), n.Channel, "", string(n.Content[:]))
	}
	return hashKey(tablePrior, string(n.Service), n.Channel, n.ID)
}

func laterKey(n *formats.Notification) []byte {
	return hashKey(tableLater, string(n.Service), n.Channel, n.ID, string(n.Content[:]))
}

func startKey(n *formats.Notification) []byte {
	return hashKey(tableStart, string(n.Service), n.Class, n.Start.UTC().Format(time.RFC3339Nano))
}

func alertKey(id AlertID) []byte {
	return appendRaw(append(make([]byte, 0, 1+16), tableAlert), string(id))
}

func firstKey(id AlertID, s formats.Service) []byte {
	return append(appendRaw(append(make([]byte, 0, 1+16+len(s)), tableFirst), string(id)), s...)
}

func openPrefix(wanted, from formats.Service, typ string) []byte {
	b := append(make([]byte, 0, 1+3*2+len(wanted)+len(from)+len(typ)), tableOpen)
	for _, s := range [...]string{string(wanted), string(from), typ} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}

// openKey sorts by start, in milliseconds since 1970; times before that sort first.
func openKey(prefix []byte, start time.Time, id AlertID) []byte {
	b := append(make([]byte, 0, len(prefix)+8+16), prefix...)
	b = binary.BigEndian.AppendUint64(b, millis(start))
	return appendRaw(b, string(id))
}

func millis(start time.Time) uint64 { return uint64(max(start.UnixMilli(), 0)) }

func listedValue(key EventKey, points int) []byte {
	return binary.BigEndian.AppendUint16(appendRaw(make([]byte, 0, 16+2), string(key)), uint16(max(points, 0)))
}

func heldKey(o Owed) []byte {
	b := binary.BigEndian.AppendUint64(append(make([]byte, 0, 1+8+8+16), tableHeld), uint64(o.Due.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(o.Held.UnixNano()))
	return appendRaw(b, string(o.Key))
}

// appendRaw halves an ID in hex; what isn't hex was not made by us and keeps its own bytes.
func appendRaw(b []byte, id string) []byte {
	out, err := hex.AppendDecode(b, []byte(id))
	if err != nil {
		return append(b, id...)
	}
	return out
}

// prior is what is known of an ID.
type prior struct {
	Content [16]byte  `cbor:"1,keyasint"` // of the first notification
	Key     EventKey  `cbor:"2,keyasint"`
	Alert   AlertID   `cbor:"3,keyasint,omitempty"`
	Time    time.Time `cbor:"4,keyasint"`
}

// sighted is a service's first notification of an alert, kept while the alert can be paired.
type sighted struct {
	Key          EventKey             `cbor:"1,keyasint"`
	Input        string               `cbor:"2,keyasint,omitempty"`
	Notification formats.Notification `cbor:"3,keyasint"`
	Delivered    bool                 `cbor:"4,keyasint,omitempty"` // targets have had it since it arrived
}

// Mark says how far the stream is folded: the sequence of the last batch, the hash that proves it and
// the greatest time recorded.
type Mark struct {
	Sequence uint64    `cbor:"1,keyasint"`
	Hash     [32]byte  `cbor:"2,keyasint"`
	Time     time.Time `cbor:"3,keyasint"`
}
