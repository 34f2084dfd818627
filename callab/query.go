package callab

import (
	"net/url"
	"strconv"
)

// Query is what GET /calls/query is asked. Zero fields are not sent, so that
// Callab's defaults hold: newest first, 10 a page.
// Source: https://docs.callab.ai/api-reference/campaign-calls/query.
type Query struct {
	// Search looks into call_to, notes, feedback and transcript.
	Search     string
	CampaignID string
	AgentID    string
	// Status is a part of call_status, in any case.
	Status string
	// StartDate and EndDate (YYYY-MM-DD) bound when a call was started.
	// They hide calls that have not started yet.
	StartDate, EndDate string
	// Page counts from 0. PerPage has no documented maximum; Callab may
	// send fewer.
	Page, PerPage int
	// SortColumn is a column such as "created_at"; Order is "asc" or "desc".
	SortColumn, Order string
	Filters           []Filter
}

// Filter compares one column. The documentation does not name the operators.
type Filter struct{ Column, Operator, Value string }

func (q Query) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"search": q.Search, "campaign_id": q.CampaignID, "ai_agent_id": q.AgentID, "status": q.Status,
		"start_date": q.StartDate, "end_date": q.EndDate, "sort_column": q.SortColumn, "order": q.Order,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, value := range map[string]int{"page": q.Page, "per_page": q.PerPage} {
		if value != 0 {
			v.Set(name, strconv.Itoa(value))
		}
	}
	for _, f := range q.Filters {
		v.Add("filter_columns[]", f.Column)
		v.Add("filter_operator[]", f.Operator)
		v.Add("filter_values[]", f.Value)
	}
	return v
}
