package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"callbridge/zonedata"
)

func TestOldZoneDataAreNamed(t *testing.T) {
	t.Parallel()
	if old := oldZoneData(zonedata.Released().Add(24 * time.Hour)); old != "" {
		t.Errorf("on the next day: %s", old)
	}
	if old := oldZoneData(zonedata.Released().Add(121 * 24 * time.Hour)); !strings.Contains(old, zonedata.Version()) || !strings.Contains(old, "TZDATA_FILE") {
		t.Errorf("after 121 days: %q", old)
	}
}

func TestVersionNamesTheZoneData(t *testing.T) {
	t.Parallel()
	_, out, _ := callbridge(t, "", "version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.ZoneData != zonedata.Version() || b.ZoneDataReleased != zonedata.Released().Format(time.DateOnly) {
		t.Errorf("%s (%v)", out, err)
	}
	if _, out, _ = callbridge(t, "", "version"); !strings.Contains(out, "zone data "+zonedata.Version()) {
		t.Error(out)
	}
}

// TestReadyzNamesTheZoneData: operators see which release a running process uses.
func TestReadyzNamesTheZoneData(t *testing.T) {
	t.Parallel()
	b := startBridge(t, nil)
	if answer := b.admin("/readyz"); !strings.Contains(answer, `"zone_data":"`+zonedata.Version()+`"`) || !strings.Contains(answer, `"zone_data_old":`) {
		t.Error(answer)
	}
}
