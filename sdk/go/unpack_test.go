package bulkhead

import (
	"encoding/hex"
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// unpacker reads what was packed with the generated code alone.
type unpacker struct {
	topics, names, partitions map[uint32]string
	forms                     map[uint32]*pb.FormDef
}

func (u *unpacker) define(message proto.Message) {
	switch kind := message.(*pb.SourceTaskMessage).Kind.(type) {
	case *pb.SourceTaskMessage_Topic:
		u.topics[kind.Topic.Id] = kind.Topic.Topic
	case *pb.SourceTaskMessage_Name:
		u.names[kind.Name.Id] = kind.Name.Name
	case *pb.SourceTaskMessage_Form:
		u.forms[kind.Form.Id] = kind.Form
	case *pb.SourceTaskMessage_Partition:
		u.partitions[kind.Partition.Id] = kind.Partition.Partition
	}
}

func (u *unpacker) rows(c *pb.Columns, perRecord bool) []vectorRecord {
	place, header, offsetPlace := 0, 0, 0
	timestamp := int64(0)
	var offset *string
	piece := func(size, form uint32) *vectorPiece {
		data := c.Arena[place : place+lengthOf(size)]
		place += lengthOf(size)
		if form == 0 {
			return nil
		}
		known := u.forms[form]
		said := &vectorPiece{Schema: known.Schema}
		text := string(data)
		switch {
		case size == 0:
			said.Null = true
		case known.Encoding == pb.Encoding_ENCODING_BYTES:
			text = hex.EncodeToString(data)
			said.Hex = &text
		case known.Encoding == pb.Encoding_ENCODING_TEXT:
			said.Text = &text
		default:
			said.JSON = &text
		}
		return said
	}
	rows := make([]vectorRecord, c.Count)
	for n := range rows {
		row := &rows[n]
		row.Topic = u.topics[at(c.Topics, n)]
		row.Key = piece(at(c.KeySizes, n), at(c.KeyForms, n))
		row.Value = piece(at(c.ValueSizes, n), at(c.ValueForms, n))
		row.Headers = []vectorHeader{}
		if len(c.HeaderCounts) > 0 {
			for range c.HeaderCounts[n] {
				value := piece(at(c.HeaderSizes, header), at(c.HeaderForms, header))
				row.Headers = append(row.Headers, vectorHeader{u.names[c.HeaderNames[header]], value})
				header++
			}
		}
		if partition := at(c.Partitions, n); partition != 0 {
			number := int32(partition - 1)
			row.Partition = &number
		}
		timestamp = nextTimestamp(c.Timestamps, n, timestamp)
		if timestamp != -1 {
			text := strconv.FormatInt(timestamp, 10)
			row.Timestamp = &text
		}
		if !perRecord {
			continue
		}
		if size := int(c.OffsetSizes[n]); size == 0 {
			offset = nil
		} else if size > 1 {
			text := string(c.OffsetArena[offsetPlace : offsetPlace+size-2])
			offset, offsetPlace = &text, offsetPlace+size-2
		}
		row.SourcePartition, row.SourceOffset = u.partitions[at(c.SourcePartitions, n)], offset
	}
	if place != len(c.Arena) {
		panic("bytes of the arena are left")
	}
	return rows
}

func (u *unpacker) lastOffsets(c *pb.Columns) map[string]*string {
	last, place := map[string]*string{}, 0
	for n, id := range c.SourcePartitions {
		last[u.partitions[id]] = nil
		if size := int(c.OffsetSizes[n]); size > 1 {
			text := string(c.OffsetArena[place : place+size-2])
			last[u.partitions[id]], place = &text, place+size-2
		}
	}
	return last
}
