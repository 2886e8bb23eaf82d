// Package v2 stands in for Grafana's types of the second dashboard schema, of which the linter reads dashboards too.
// Ours are of the first. The real package would bring the source of Grafana's API server along.
package v2

type (
	DashboardSpec struct {
		Title       string
		Editable    *bool
		Elements    map[string]DashboardElement
		Variables   []DashboardVariableKind
		Annotations []DashboardAnnotationQueryKind
	}
	DashboardElement struct {
		PanelKind *struct{ Spec DashboardPanelSpec }
	}

	DashboardPanelSpec struct {
		Id                 float64
		Title, Description string
		Data               struct {
			Spec struct{ Queries []DashboardPanelQueryKind }
		}
		VizConfig struct {
			Group string
			Spec  struct{ FieldConfig, Options any }
		}
	}
	DashboardPanelQueryKind struct {
		Spec struct {
			RefId  string
			Hidden bool
			Query  DashboardDataQueryKind
		}
	}
	DashboardDataQueryKind struct {
		Group      string
		Datasource *struct{ Name *string }
		Spec       map[string]any
	}
	DashboardAnnotationQueryKind struct {
		Spec struct {
			Name  string
			Query DashboardDataQueryKind
		}
	}

	DashboardVariableKind struct {
		QueryVariableKind      *struct{ Spec queried }
		DatasourceVariableKind *struct{ Spec variable }
		CustomVariableKind     *struct{ Spec variable }
		IntervalVariableKind   *struct{ Spec variable }
		ConstantVariableKind   *struct{ Spec variable }
		TextVariableKind       *struct{ Spec variable }
		AdhocVariableKind      *struct{ Spec variable }
		GroupByVariableKind    *struct{ Spec variable }
		SwitchVariableKind     *struct{ Spec variable }
	}
	variable struct {
		Name            string
		Label, AllValue *string
		Multi           bool
		Refresh         DashboardVariableRefresh
		PluginId, Query string
	}
	queried struct {
		Name            string
		Label, AllValue *string
		Multi           bool
		Refresh         DashboardVariableRefresh
		Query           DashboardDataQueryKind
	}
	DashboardVariableRefresh string
)

const (
	DashboardVariableRefreshOnDashboardLoad    DashboardVariableRefresh = "onDashboardLoad"
	DashboardVariableRefreshOnTimeRangeChanged DashboardVariableRefresh = "onTimeRangeChanged"
)
