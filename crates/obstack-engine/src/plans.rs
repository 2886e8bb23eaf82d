//! Rendering and assembling, with a memory: the same design gives the same plan without helm.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::future::join_all;
use obstack_api::Reason;
use obstack_core::{
    assemble::{AssembleError, Plan, assemble},
    catalog::ChartRef,
    conclude::Fault,
    design::{Design, Release},
    hash,
};

use crate::{
    charts::{ChartError, ChartRequest, Located, RenderError, RenderRequest, Renderer, Store},
    metrics::Metrics,
};

/// Plans kept in memory; older ones are assembled again from the renderer's cache.
const KEPT: usize = 8;

/// Makes plans of designs.
#[derive(Debug)]
pub struct Plans {
    charts: Store,
    renderer: Renderer,
    metrics: Metrics,
    located: Mutex<HashMap<String, Located>>,
    kept: Mutex<VecDeque<(String, Arc<Plan>)>>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The chart could not be had.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The chart did not render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// What it rendered cannot be applied.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
}

impl PlanError {
    /// As a fault of the stack.
    pub fn fault(&self) -> Fault {
        let reason: Reason = match self {
            Self::Chart(error) => error.reason(),
            Self::Render(error) => error.reason(),
            Self::Assemble(error) => error.reason(),
        };
        Fault { reason, message: self.to_string() }
    }
}

/// A design whose charts were found: enough to tell whether anything would change.
#[derive(Debug)]
pub struct Sourced {
    /// Hash of everything that decides the objects.
    pub input: String,
    charts: Vec<Located>,
}

impl Plans {
    /// Plans from these charts.
    pub fn new(charts: Store, renderer: Renderer, metrics: Metrics) -> Self {
        Self { charts, renderer, metrics, located: Mutex::default(), kept: Mutex::default() }
    }

    /// Finds the charts of a design and the hash of everything that decides its objects. Renders nothing.
    pub async fn locate(&self, design: &Design) -> Result<Sourced, PlanError> {
        let mut charts = Vec::new();
        for release in &design.releases {
            charts.push(self.chart(&release.chart).await?);
        }
        let digests: Vec<_> = charts.iter().map(|chart| chart.digest.as_str()).collect();
        let input = hash::of_bytes(format!("{} {}", design.fingerprint(), digests.join(" ")).as_bytes());
        Ok(Sourced { input, charts })
    }

    /// The plan of a design.
    pub async fn make(&self, design: &Design, located: &Sourced) -> Result<Arc<Plan>, PlanError> {
        if let Some(plan) = self.kept(&located.input) {
            return Ok(plan);
        }
        // At the same time, but a fault of the first release is told before one of the second.
        let renders = design.releases.iter().zip(&located.charts);
        let renders = renders.map(|(release, chart)| self.render(design, release, chart));
        let rendered = join_all(renders).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let objects: Vec<&[serde_json::Value]> = rendered.iter().map(|objects| objects.as_slice()).collect();
        let plan = Arc::new(assemble(design, &objects)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((located.input.clone(), Arc::clone(&plan)));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(plan)
    }

    fn kept(&self, input: &str) -> Option<Arc<Plan>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| known == input).map(|(_, plan)| Arc::clone(plan))
    }

    async fn chart(&self, chart: &ChartRef) -> Result<Located, PlanError> {
        let request = ChartRequest {
            name: chart.name.clone(),
            version: chart.version.clone(),
            source: chart.source,
            repository: chart.repository.clone(),
            digest: chart.sha256.clone(),
        };
        let key = format!("{request:?}");
        if let Some(known) = self.located.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let located = self.charts.locate(&request).await?;
        self.located.lock().unwrap_or_else(PoisonError::into_inner).insert(key, located.clone());
        Ok(located)
    }

    async fn render(
        &self,
        design: &Design,
        release: &Release,
        chart: &Located,
    ) -> Result<Arc<Vec<serde_json::Value>>, PlanError> {
        let (started, before) = (Instant::now(), self.renderer.counts());
        let request = RenderRequest {
            chart,
            release: &release.name,
            namespace: &design.key.namespace,
            values: &release.values,
            kube_version: &design.kubernetes,
            api_versions: &[],
        };
        let objects = self.renderer.render(&request).await?;
        if self.renderer.counts().renders > before.renders {
            self.metrics.record_render(started.elapsed());
        } else {
            self.metrics.record_cached_render();
        }
        Ok(objects)
    }
}
