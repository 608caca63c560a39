package bulkhead

import "sync"

// lockedMap is a map by name for several goroutines.
type lockedMap[V any] struct {
	lock    sync.Mutex
	entries map[string]V
}

func (m *lockedMap[V]) get(name string) V {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.entries[name]
}

func (m *lockedMap[V]) set(name string, value V) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.entries == nil {
		m.entries = map[string]V{}
	}
	m.entries[name] = value
}

// take removes it.
func (m *lockedMap[V]) take(name string) V {
	m.lock.Lock()
	defer m.lock.Unlock()
	found := m.entries[name]
	delete(m.entries, name)
	return found
}
