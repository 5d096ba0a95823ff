// Package store keeps insights, anomalies and dead letters in SQL, where people and the API can ask for them: in SQLite, in
// a file of this process, or in PostgreSQL, which all instances share. What it holds is a copy of topics that can be made
// again at any time; nothing of the stream depends on it.
//
// It never talks to Kafka, and its errors never show STORAGE_URL, which holds a password.
package store
