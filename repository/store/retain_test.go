package store

import (
	"testing"
	"time"

	"data-stream-engine/model"
)

// A recorder may write a revision of what is being deleted.
func TestARevisionThatComesWhileItIsDeletedStays(t *testing.T) {
	s := postgres(t).open(t)
	now := time.Now()
	newFeed(t, s, topicID("i"), 0).write(insight("logins", 1, `{"u":"a"}`, `{}`, func(in *model.Insight) { in.UpdatedAt = now.AddDate(0, 0, -9) }))
	db, err := s.use("revise")
	must(t, err)
	tx, err := db.write.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "UPDATE insights SET revision = 2, updated_at = $1", now)
	must(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := s.Retain(t.Context(), now.AddDate(0, 0, 2))
		done <- err
	}()
	for waiting := false; !waiting; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-done:
			t.Fatalf("it has not waited for the revision: %v", err)
		default:
		}
		must(t, db.write.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')").Scan(&waiting))
	}
	must(t, tx.Commit())
	must(t, <-done)
	if got := keys(t, s); len(got) != 1 || count(t, s, "insight_terms") != 1 {
		t.Errorf("%v and %d terms are left", got, count(t, s, "insight_terms"))
	}
}
