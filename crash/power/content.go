package power

import (
	"bytes"
	"maps"
	"math/rand/v2"
)

// pageSize is the unit in which content is stored. Pages of zeros are not stored, so
// that an image of a disk needs only the memory of what is written to it.
const pageSize = 4096

// sectorSize is the unit that a disk writes as a whole.
const sectorSize = 512

// content is the bytes of one file. The zero value is an empty file.
type content struct {
	size  int64
	pages map[int64][]byte
}

// change is a write of data at an offset, or with nil data a change of the size.
type change struct {
	offset int64
	data   []byte
	size   int64
}

func (c *content) apply(change change) {
	if change.data == nil {
		c.truncate(change.size)
		return
	}
	c.write(change.offset, change.data)
}

func (c *content) write(offset int64, data []byte) {
	c.size = max(c.size, offset+int64(len(data)))
	for len(data) > 0 {
		number, within := offset/pageSize, int(offset%pageSize)
		part := data[:min(len(data), pageSize-within)]
		c.writePage(number, within, part)
		offset, data = offset+int64(len(part)), data[len(part):]
	}
}

func (c *content) writePage(number int64, within int, part []byte) {
	page := c.pages[number]
	if page == nil {
		if isZero(part) {
			return
		}
		if c.pages == nil {
			c.pages = map[int64][]byte{}
		}
		page = make([]byte, pageSize)
		c.pages[number] = page
	}
	copy(page[within:], part)
}

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}

func (c *content) truncate(size int64) {
	if size < c.size {
		for number := range c.pages {
			if number*pageSize >= size {
				delete(c.pages, number)
			}
		}
		if page := c.pages[size/pageSize]; page != nil {
			clear(page[size%pageSize:])
		}
	}
	c.size = size
}

// read fills data from an offset and returns how much there was.
func (c *content) read(data []byte, offset int64) int {
	if offset >= c.size {
		return 0
	}
	data = data[:min(int64(len(data)), c.size-offset)]
	clear(data)
	for done := 0; done < len(data); {
		number, within := (offset+int64(done))/pageSize, int((offset+int64(done))%pageSize)
		length := min(len(data)-done, pageSize-within)
		if page := c.pages[number]; page != nil {
			copy(data[done:done+length], page[within:])
		}
		done += length
	}
	return len(data)
}

func (c *content) clone() content {
	pages := maps.Clone(c.pages)
	for number, page := range pages {
		pages[number] = bytes.Clone(page)
	}
	return content{size: c.size, pages: pages}
}

// applySome applies what a disk may have written of changes that were not flushed:
// nothing, all, or any sectors of any of them.
func (c *content) applySome(pending []change, random *rand.Rand) {
	odds := random.IntN(3)
	for _, p := range pending {
		switch {
		case odds == 0:
		case odds == 2:
			c.apply(p)
		case p.data == nil:
			if random.IntN(2) == 0 {
				c.apply(p)
			}
		default:
			c.writeSomeSectors(p, random)
		}
	}
}

func (c *content) writeSomeSectors(p change, random *rand.Rand) {
	for done := 0; done < len(p.data); {
		offset := p.offset + int64(done)
		length := min(len(p.data)-done, sectorSize-int(offset%sectorSize))
		if random.IntN(2) == 0 {
			c.write(offset, p.data[done:done+length])
		}
		done += length
	}
}
