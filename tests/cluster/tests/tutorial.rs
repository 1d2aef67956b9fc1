//! The tutorial, command by command as it is written.

use wanqu_chart_tests::steps;
use wanqu_cluster_tests::{Shell, cluster, root, state};

#[tokio::test]
async fn every_command_of_the_tutorial_does_what_the_page_says() {
    let page = std::fs::read_to_string(root().join("docs/tutorial-kubernetes.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "{} commands", steps.len());
    let cluster = cluster().await.unwrap();
    let shell = Shell::new(&cluster);
    for step in &steps {
        if let Err(failure) = shell.run(step) {
            panic!("{failure}\n{}", state(&cluster));
        }
        // A node starts once, with all that it needs.
        if step.command.contains("condition=Ready federation/gba") {
            let restarts = "--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}";
            let of = "--selector=app.kubernetes.io/name=wanqu-node";
            let found = cluster.kubectl(&["get", "pods", "--all-namespaces", of, restarts]).unwrap();
            assert_eq!(found, "0 0 0", "{}", state(&cluster));
        }
    }
    cluster.stop().await;
}
