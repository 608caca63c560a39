package bulkhead

import (
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	recordsMax       = 10_000
	batchBytesTarget = 512 * 1024
	headersMax       = 1_000
	offsetBytesMax   = 64 * 1024
	fixedBytes       = 4_096
	rowBytes         = 64
)

// packer builds one batch after the other. Nothing is kept of a record once add has returned.
type packer struct {
	definitions     *outDefinitions
	maxMessageBytes int
	target          int
	lastMode        bool
	// A stage's records have neither source partitions nor offsets.
	noOffsets bool
	// What stands in the message beside the columns.
	otherBytes int

	count int
	// What the batch costs in bytes of credit: the contract's size formula.
	bytes   int
	columns *pb.Columns
	// The batch before, for how much room the next one needs.
	arenaRoom, offsetRoom, rowRoom int

	timestampBefore int64
	// The last text of the offset arena; in mode LAST, of each partition named.
	lastOffset []byte
	hasOffset  bool
	last       map[string]*string

	knownPartition Object
	knownText      string
	knownID        uint32
	// Records of the known partition are in this batch; their last offset is not in last yet.
	placed  bool
	scratch []byte
	headers []packedHeader
	pieces  []byte
}

type packedHeader struct {
	name, form uint32
	size       uint32
}

func newPacker(definitions *outDefinitions, maxMessageBytes int, lastMode bool) *packer {
	made := &packer{definitions: definitions, maxMessageBytes: maxMessageBytes, lastMode: lastMode,
		target: min(batchBytesTarget, maxMessageBytes)}
	made.begin()
	return made
}

func (p *packer) begin() {
	p.count, p.bytes, p.timestampBefore, p.hasOffset, p.placed = 0, fixedBytes, 0, false, false
	p.last = map[string]*string{}
	rows := func() []uint32 { return make([]uint32, 0, p.rowRoom) }
	p.columns = &pb.Columns{
		Arena: make([]byte, 0, p.arenaRoom), OffsetArena: make([]byte, 0, p.offsetRoom),
		KeySizes: rows(), ValueSizes: rows(), KeyForms: rows(), ValueForms: rows(), Topics: rows(),
		Partitions: rows(), HeaderCounts: rows(), SourcePartitions: rows(), OffsetSizes: rows(),
		Timestamps: make([]int64, 0, p.rowRoom),
	}
}

// full: time to send.
func (p *packer) full() bool { return p.count >= recordsMax || p.bytes >= p.target }

// add: false = it does not fit into this batch any more, send the batch, then add it again. After an
// error the batch is as it was before.
func (p *packer) add(record *Record) (bool, error) {
	if p.count >= recordsMax {
		return false, nil
	}
	if p.definitions.full {
		if p.count > 0 {
			return false, nil
		}
		p.definitions.forget()
		p.knownID = 0
	}
	// Everything that may fail comes before the first column is touched.
	pieces := p.pieces[:0]
	pieces, keySize, keyForm, err := p.piece(pieces, record.Key, record.KeySchema)
	if err != nil {
		return false, err
	}
	pieces, valueSize, valueForm, err := p.piece(pieces, record.Value, record.ValueSchema)
	if err != nil {
		return false, err
	}
	if len(record.Headers) > 0 {
		if pieces, err = p.packHeaders(pieces, record.Headers); err != nil {
			return false, err
		}
	} else {
		p.headers = p.headers[:0]
	}
	p.pieces = pieces
	topic, err := p.definitions.topic(record.Topic)
	if err != nil {
		return false, err
	}
	partition := uint32(0)
	if record.Partition != nil {
		if *record.Partition < 0 {
			return false, DataError("%d is no partition", *record.Partition)
		}
		partition = uint32(*record.Partition) + 1
	}
	sourcePartition, offset, err := p.place(record)
	if err != nil {
		return false, err
	}
	same := offset != nil && p.hasOffset && !p.lastMode && string(offset) == string(p.lastOffset)
	size := p.bytes + len(pieces) + rowBytes*(1+len(p.headers)) + p.offsetBytes(offset, same)
	if size+p.otherBytes > p.maxMessageBytes {
		if p.count > 0 || p.otherBytes > 0 {
			return false, nil
		}
		return false, DataError("a record has %d bytes as a message; the limit is %d", size, p.maxMessageBytes).
			WithHint("raise the host's limit for plugin messages or make smaller records")
	}
	columns := p.columns
	columns.Arena = append(columns.Arena, pieces...)
	columns.KeySizes = append(columns.KeySizes, keySize)
	columns.KeyForms = append(columns.KeyForms, keyForm)
	columns.ValueSizes = append(columns.ValueSizes, valueSize)
	columns.ValueForms = append(columns.ValueForms, valueForm)
	columns.Topics = append(columns.Topics, topic)
	columns.Partitions = append(columns.Partitions, partition)
	columns.HeaderCounts = append(columns.HeaderCounts, uint32(len(p.headers)))
	for _, header := range p.headers {
		columns.HeaderNames = append(columns.HeaderNames, header.name)
		columns.HeaderSizes = append(columns.HeaderSizes, header.size)
		columns.HeaderForms = append(columns.HeaderForms, header.form)
	}
	p.addTimestamp(record.Timestamp)
	if !p.noOffsets {
		p.addOffset(sourcePartition, offset, same)
	}
	p.bytes = size
	p.count++
	return true, nil
}

// place is where the record was read.
func (p *packer) place(record *Record) (partition uint32, offset []byte, err error) {
	if p.noOffsets {
		return 0, nil, nil
	}
	if partition, err = p.sourcePartition(record.SourcePartition); err != nil {
		return 0, nil, err
	}
	offset, err = p.offset(record.SourceOffset)
	return partition, offset, err
}

// finish gives the batch; the packer is empty afterwards. visit is told the last offset of each partition.
func (p *packer) finish(visit func(partition string, offset *string)) *pb.Columns {
	columns := p.columns
	p.arenaRoom, p.offsetRoom, p.rowRoom = len(columns.Arena)+64, len(columns.OffsetArena)+16, p.count
	columns.Count = uint32(p.count)
	columns.KeySizes = zeroOrAll(columns.KeySizes)
	columns.ValueSizes = zeroOrAll(columns.ValueSizes)
	columns.KeyForms = zeroOneOrAll(columns.KeyForms)
	columns.ValueForms = zeroOneOrAll(columns.ValueForms)
	if allSame(columns.Topics) {
		columns.Topics = columns.Topics[:1]
	}
	columns.Partitions = zeroOneOrAll(columns.Partitions)
	if len(columns.HeaderNames) == 0 {
		columns.HeaderCounts = nil
	}
	columns.HeaderSizes = zeroOrAll(columns.HeaderSizes)
	columns.HeaderForms = zeroOneOrAll(columns.HeaderForms)
	if onlyFirst(columns.Timestamps) {
		columns.Timestamps = columns.Timestamps[:1]
		if columns.Timestamps[0] == -1 {
			columns.Timestamps = nil
		}
	}
	if p.lastMode {
		p.finishLast()
	} else if allSame(columns.SourcePartitions) {
		columns.SourcePartitions = columns.SourcePartitions[:1]
	}
	p.settleLast()
	for partition, offset := range p.last {
		visit(partition, offset)
	}
	p.begin()
	return columns
}

func (p *packer) finishLast() {
	for partition, offset := range p.last {
		size := uint32(0)
		if offset != nil {
			size = uint32(len(*offset)) + 2
			p.columns.OffsetArena = append(p.columns.OffsetArena, *offset...)
		}
		p.columns.SourcePartitions = append(p.columns.SourcePartitions, p.definitions.partitions[partition])
		p.columns.OffsetSizes = append(p.columns.OffsetSizes, size)
	}
}

func (p *packer) offsetBytes(offset []byte, same bool) int {
	if offset == nil || same {
		return 0
	}
	if p.lastMode {
		if before := p.last[p.knownText]; before != nil {
			return len(offset) - len(*before)
		}
	}
	return len(offset)
}

func (p *packer) addOffset(partition uint32, offset []byte, same bool) {
	if p.lastMode {
		if offset != nil {
			text := string(offset)
			p.last[p.knownText] = &text
		}
		return
	}
	p.columns.SourcePartitions = append(p.columns.SourcePartitions, partition)
	switch {
	case offset == nil:
		p.columns.OffsetSizes = append(p.columns.OffsetSizes, 0)
		p.hasOffset = false
	case same:
		p.columns.OffsetSizes = append(p.columns.OffsetSizes, 1)
	default:
		p.columns.OffsetSizes = append(p.columns.OffsetSizes, uint32(len(offset))+2)
		p.columns.OffsetArena = append(p.columns.OffsetArena, offset...)
		p.lastOffset = append(p.lastOffset[:0], offset...)
		p.hasOffset = true
	}
	p.placed = true
}

// settleLast remembers the last offset of the partition that records were of: another one comes, or the batch ends.
func (p *packer) settleLast() {
	if !p.placed {
		return
	}
	p.placed = false
	p.last[p.knownText] = nil
	if p.hasOffset {
		text := string(p.lastOffset)
		p.last[p.knownText] = &text
	}
}

func (p *packer) addTimestamp(at time.Time) {
	timestamp := int64(-1)
	if !at.IsZero() {
		timestamp = at.UnixMilli()
	}
	p.columns.Timestamps = append(p.columns.Timestamps, timestamp-p.timestampBefore)
	p.timestampBefore = timestamp
}

// sourcePartition gives its id, remembered for the next record.
func (p *packer) sourcePartition(partition Object) (uint32, error) {
	if p.knownID != 0 && samePlain(partition, p.knownPartition) {
		return p.knownID, nil
	}
	text, err := jsonText(partition)
	if err != nil {
		return 0, err
	}
	p.settleLast()
	id, err := p.definitions.partition(text)
	if err != nil {
		return 0, err
	}
	// A copy: the user's map may change.
	copied := make(Object, len(partition))
	for name, value := range partition {
		copied[name] = value
	}
	if partition == nil {
		copied = nil
	}
	p.knownPartition, p.knownText, p.knownID = copied, text, id
	return id, nil
}

// samePlain: both are the same members of plain types. What is not plain is never the same.
func samePlain(a, b Object) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for name, value := range a {
		other, ok := b[name]
		if !ok {
			return false
		}
		switch value.(type) {
		case string, int, int64, int32, bool, float64:
			if value != other {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (p *packer) offset(offset Object) ([]byte, error) {
	if offset == nil {
		return nil, nil
	}
	text, err := appendJSON(p.scratch[:0], map[string]any(offset), 0)
	if err != nil {
		return nil, err
	}
	p.scratch = text
	if len(text) > offsetBytesMax {
		return nil, DataError("a source offset is longer than %d bytes", offsetBytesMax)
	}
	return text, nil
}

func zeroOrAll(column []uint32) []uint32 {
	for _, one := range column {
		if one != 0 {
			return column
		}
	}
	return nil
}

func zeroOneOrAll(column []uint32) []uint32 {
	if len(column) == 0 || !allSame(column) {
		return column
	}
	if column[0] == 0 {
		return nil
	}
	return column[:1]
}

func allSame(column []uint32) bool {
	for _, one := range column {
		if one != column[0] {
			return false
		}
	}
	return len(column) > 0
}

// onlyFirst: a column of deltas says the same for all.
func onlyFirst(deltas []int64) bool {
	for _, one := range deltas[min(1, len(deltas)):] {
		if one != 0 {
			return false
		}
	}
	return len(deltas) > 0
}
